// Builds the program `atomoe` from the checkout's sources, for bin/atomoe.js.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const root = resolve(import.meta.dirname, '..');
/** Beside the installed packages: the program finds `webgpu` from here, and git ignores it. */
const builds = join(root, 'node_modules/.cache/atomoe');
const INPUTS = ['src', 'shaders', 'simd/built', 'package.json', 'package-lock.json', 'vite.lib.config.ts'];
/** Builds of older sources go once no program is likely to load its chunks from them any more. */
const KEEP_MS = 3_600_000;

/** The address of the program as built from the sources of now. */
export async function builtProgram() {
  const folder = join(builds, await fingerprint());
  if (!existsSync(join(folder, 'cli.js'))) await build(folder);
  return pathToFileURL(join(folder, 'cli.js')).href;
}

/** Names, sizes and times of all that the program is made of. */
async function fingerprint() {
  const hash = createHash('sha256').update(process.version);
  /** @param {string} path */
  const add = async (path) => {
    const { mtimeMs, size } = await stat(path);
    hash.update(`${relative(root, path)} ${size} ${mtimeMs}\n`);
  };
  for (const input of INPUTS) {
    const path = join(root, input);
    if ((await stat(path)).isFile()) await add(path);
    else for (const file of await filesOf(path)) await add(file);
  }
  return hash.digest('hex').slice(0, 16);
}

/** @param {string} folder */
async function filesOf(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Two programs may begin at once: each builds aside, and the first to be done is taken by both. */
async function build(/** @type {string} */ folder) {
  const aside = `${folder}.${process.pid}`;
  if (process.stderr.isTTY) process.stderr.write('atomoe: building the program from its sources\n');
  const vite = await import('vite').catch((/** @type {unknown} */ cause) => {
    throw new Error('the program could not be built: its packages are missing; run npm install', { cause });
  });
  await mkdir(builds, { recursive: true });
  await vite.build({
    configFile: join(root, 'vite.lib.config.ts'),
    root,
    logLevel: 'error',
    build: { outDir: aside },
  });
  await rename(aside, folder).catch(async (/** @type {unknown} */ error) => {
    await rm(aside, { recursive: true, force: true });
    if (!existsSync(join(folder, 'cli.js'))) throw error;
  });
  await dropOldBuilds(folder);
}

/** @param {string} current */
async function dropOldBuilds(current) {
  for (const name of await readdir(builds)) {
    const path = join(builds, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (path !== current && Date.now() - mtimeMs > KEEP_MS) await rm(path, { recursive: true, force: true });
  }
}
