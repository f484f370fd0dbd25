import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Another build of this tree, with some texts changed: what runs beside us during a deploy. @returns its directory */
export async function anotherBuild(
  directory: string,
  changes: Readonly<Record<string, readonly (readonly [from: string, to: string])[]>>,
): Promise<string> {
  await mkdir(directory, { recursive: true });
  const folders = ['activities', 'client', 'workers', 'workflows', 'package.json'];
  await Promise.all(folders.map((name) => cp(join(root, name), join(directory, name), { recursive: true })));
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  for (const [file, texts] of Object.entries(changes)) {
    let source = await readFile(join(directory, file), 'utf8');
    for (const [from, to] of texts) {
      if (!source.includes(from)) throw new Error(`${file} has no text: ${from}`);
      source = source.replace(from, to);
    }
    await writeFile(join(directory, file), source);
  }
  return directory;
}
