import { describe, expect, it } from 'vitest';
import { readText } from './source-files.ts';

type Entry = {
  version?: string;
  resolved?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
};

const { packages } = JSON.parse(readText('package-lock.json')) as { packages: Record<string, Entry> };

/** Where Node would look for a package, from the folder that asks outwards. */
function placeOf(name: string, from: string): string | undefined {
  const place = `${from === '' ? '' : `${from}/`}node_modules/${name}`;
  if (place in packages) return place;
  return from === '' ? undefined : placeOf(name, from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/'))));
}

function missing(of: (entry: Entry) => Record<string, string> | undefined): string[] {
  return Object.entries(packages).flatMap(([path, entry]) =>
    Object.keys(of(entry) ?? {})
      .filter((name) => placeOf(name, path) === undefined)
      .map((name) => `${path || 'package.json'} wants ${name}`),
  );
}

describe('the lock file', () => {
  it('pins every package that another one needs', () => {
    expect(missing(({ dependencies }) => dependencies)).toEqual([]);
  });

  it('pins the packages of every platform, without which npm ci refuses it and npm install rewrites it', () => {
    expect(missing(({ optionalDependencies }) => optionalDependencies)).toEqual([]);
  });

  it('names no address to download from, so that it fits every registry', () => {
    expect(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });

  it('holds what package.json names, in the same version', () => {
    const wanted = JSON.parse(readText('package.json')) as Record<'dependencies' | 'devDependencies', object>;
    const versions = Object.entries({ ...wanted.dependencies, ...wanted.devDependencies });
    const pinned = versions.map(([name]) => [name, packages[`node_modules/${name}`]?.version]);
    expect(pinned).toEqual(versions);
  });
});
