import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const entry = fileURLToPath(new URL('../sdk/sdk.ts', import.meta.url));

/** Bundles `hapax/sdk` for pages without a bundler of their own. @returns one ES module, minified */
export async function bundleSdk(): Promise<string> {
  const bundle = await rolldown({ input: entry, platform: 'browser' });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  await bundle.close();
  const [{ code }] = output;
  return code;
}

if (import.meta.main) {
  const directory = process.argv[2] ?? 'dist/sdk';
  await mkdir(directory, { recursive: true });
  await writeFile(`${directory}/hapax-sdk.js`, await bundleSdk());
  // Compilers look for declarations beside the module.
  await writeFile(`${directory}/hapax-sdk.d.ts`, "export * from './types/sdk/sdk.js';\n");
  console.log(`${directory}/hapax-sdk.js`);
}
