// Writes demo/recording/story.json: the story that the page plays before anything is downloaded, from a run on one thread.
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { runnerImport } from 'vite';

const root = resolve(import.meta.dirname, '..');

/** @type {{ module: typeof import('../demo/recording/now.ts') }} */
const { module } = await runnerImport('/demo/recording/now.ts', {
  root,
  configFile: false,
  logLevel: 'warn',
});

writeFileSync(join(root, 'demo/recording/story.json'), `${JSON.stringify(module.RECORDING)}\n`);
