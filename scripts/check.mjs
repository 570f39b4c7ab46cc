// `npm run check`: format, lint, WGSL, generated documents, types, builds and public types. All steps run: one run reports everything.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';

const root = resolve(import.meta.dirname, '..');

/** @type {[name: string, args: string[]][]} each run by Node, from the repository's root */
const steps = [
  ['format', ['node_modules/prettier/bin/prettier.cjs', '--check', '.']],
  [
    'lint',
    [
      'node_modules/oxlint/bin/oxlint',
      '--type-aware',
      '--deny-warnings',
      ...['src', 'e2e', 'demo', 'bench', 'scripts'].filter((folder) => existsSync(resolve(root, folder))),
    ],
  ],
  ['wgsl', ['scripts/wgsl-style.mjs']],
  ['shaders', ['scripts/shaders-readme.mjs', '--check']],
  ['house', ['scripts/house.mjs', '--check']],
  ['models', ['scripts/models-table.mjs', '--check']],
  ['papers', ['scripts/papers-table.mjs', '--check']],
  ['types', ['node_modules/typescript/bin/tsc', '--noEmit']],
  ['build', ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn']],
  ['library', ['node_modules/vite/bin/vite.js', 'build', '-c', 'vite.lib.config.ts', '--logLevel', 'warn']],
  ['declarations', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.lib.json']],
  ['public types', ['scripts/public-types.mjs', '--check']],
];

const failed = steps.filter(([name, args]) => {
  console.log(`== ${name}`);
  // npm puts the tools' folder on PATH; the type-aware half of the linter is looked up there.
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status !== 0;
});
const names = failed.map(([name]) => name).join(', ');
console.log(failed.length === 0 ? 'check: all good' : `check: ${names} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
