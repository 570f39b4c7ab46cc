/** The lock file holds for every platform and every registry: installing changes nothing in it. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

interface Locked {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly resolved?: string;
  readonly integrity?: string;
}

const read = (name: string) => JSON.parse(readFileSync(resolve(import.meta.dirname, '..', name), 'utf8'));
const packages: Record<string, Locked> = read('package-lock.json').packages;

/** Where Node would find `name` from the package at `path`. */
function locate(name: string, path: string): string | undefined {
  const candidate = `${path}/node_modules/${name}`.replace(/^\//, '');
  if (candidate in packages) return candidate;
  if (path === '') return undefined;
  return locate(name, path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/'))));
}

test('what a package asks for is locked, for the platforms of others too', () => {
  const missing = Object.entries(packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => locate(name, path) === undefined)
      .map((name) => `${path} asks for ${name}`),
  );
  expect(missing).toEqual([]);
  expect(Object.keys(packages).filter((path) => /darwin-arm64|win32-x64/.test(path)).length).toBeGreaterThan(
    6,
  );
});

const LOCKS = ['package-lock.json', 'docs/package-lock.json', 'simd/package-lock.json'];

test.each(LOCKS)('%s names no registry and has the hash of everything', (name) => {
  const locked: Record<string, Locked> = read(name).packages;
  const installed = Object.entries(locked).filter(([path]) => path !== '');
  expect(installed.length).toBeGreaterThan(0);
  expect(installed.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  expect(installed.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'))).toEqual([]);
});

test('it is the lock of this package.json', () => {
  const { name, version, bin, devDependencies, peerDependencies, engines } = read('package.json');
  expect(packages['']).toMatchObject({ name, version, bin, devDependencies, peerDependencies, engines });
});
