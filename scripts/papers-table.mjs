// Writes docs/PAPERS.md from the descriptions of fixtures/routing, which it runs. With --check it writes nothing, and fails
// where the file is not what it would write.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { runnerImport } from 'vite';

const root = resolve(import.meta.dirname, '..');
const path = join(root, 'docs/PAPERS.md');

/** @type {{ module: typeof import('./papers/table.ts') }} */
const { module } = await runnerImport('/scripts/papers/table.ts', {
  root,
  configFile: false,
  logLevel: 'warn',
});
const { PAPERS_TEXT: wanted } = module;
if (!process.argv.includes('--check')) writeFileSync(path, wanted);
else if (readFileSync(path, 'utf8') !== wanted) {
  console.error('docs/PAPERS.md is not what descriptions and runs say: run npm run papers');
  process.exitCode = 1;
}
