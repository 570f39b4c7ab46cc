// Installs the packages that only some tests and benches need: each folder below has a package.json of its own, so that
// `npm install` at the root stays light. `npm run test:all` does this; as a program: `node scripts/packages.mjs`.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const root = resolve(import.meta.dirname, '..');
const FOLDERS = ['bench', 'demo', 'docs', 'e2e', 'scripts', 'simd'];
const DEEPEST = 3;

/**
 * Folders at or below one that have a package.json.
 * @param {string} folder
 * @param {number} depth
 * @returns {string[]}
 */
function packagesIn(folder, depth = 1) {
  if (!existsSync(folder)) return [];
  const inside = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => depth < DEEPEST && entry.isDirectory() && entry.name !== 'node_modules')
    .flatMap((entry) => packagesIn(join(folder, entry.name), depth + 1));
  return existsSync(join(folder, 'package.json')) ? [folder, ...inside] : inside;
}

/** @param {string} folder */
function isInstalled(folder) {
  const installed = join(folder, 'node_modules');
  return (
    existsSync(installed) && statSync(installed).mtimeMs > statSync(join(folder, 'package.json')).mtimeMs
  );
}

/**
 * Installs what is not installed yet.
 * @param {string[]} [folders]
 * @returns {string[]} the folders where that failed
 */
export function installPackages(folders = FOLDERS) {
  const waiting = folders
    .flatMap((name) => packagesIn(join(root, name)))
    .filter((folder) => !isInstalled(folder));
  return waiting.filter((folder) => {
    console.log(`npm install in ${folder.slice(root.length + 1)}`);
    const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: folder,
      stdio: 'inherit',
      shell: process.platform === 'win32',
    });
    return status !== 0;
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href && installPackages().length > 0) {
  process.exitCode = 1;
}
