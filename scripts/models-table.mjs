// Writes docs/MODELS.md from the configs of published models, by the engine's own plan, and from the tests of their
// families. With --check it writes nothing, and fails where the file is not what it would write.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { runnerImport } from 'vite';

const root = resolve(import.meta.dirname, '..');
const path = join(root, 'docs/MODELS.md');

/** @type {{ module: typeof import('./models/table.ts') }} */
const { module } = await runnerImport('/scripts/models/table.ts', {
  root,
  configFile: false,
  logLevel: 'warn',
});
const { MODELS_TEXT: wanted } = module;
if (!process.argv.includes('--check')) writeFileSync(path, wanted);
else if (readFileSync(path, 'utf8') !== wanted) {
  console.error('docs/MODELS.md is not what configs and tests say: run npm run models');
  process.exitCode = 1;
}
