// `npm run docs`: builds the documentation site (docs/) into dist/docs, which `npm start` and `npm run dev` serve at /docs/.
// Its packages are installed with the first build.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { installPackages } from './packages.mjs';

const docs = resolve(import.meta.dirname, '../docs');

/** @param {string[]} args for Node, in docs/ */
function node(args) {
  const { status } = spawnSync(process.execPath, args, { cwd: docs, stdio: 'inherit' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} failed in docs/`);
}

/** Writes the reference from the docstrings, and builds the site. */
export function buildDocs() {
  if (installPackages(['docs']).length > 0) {
    throw new Error('the packages of docs/ could not be installed: see above; is the registry there?');
  }
  node(['build/api.mjs']);
  node(['node_modules/vitepress/bin/vitepress.js', 'build', '.']);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  buildDocs();
  console.log('docs: built into dist/docs; npm start serves it at /docs/');
}
