// The kernels' records, for scripts that are not built: they are TypeScript, and take their texts from files of WGSL.
import { resolve } from 'node:path';
import { runnerImport } from 'vite';

export const root = resolve(import.meta.dirname, '..');

/** @typedef {import('../src/kernels/programs.testing.ts').LoadedProgram} Program */

/** Every kernel in every variant that it lists. */
export async function loadPrograms() {
  /** @type {{ module: typeof import('../src/kernels/programs.testing.ts') }} */
  const { module } = await runnerImport('/src/kernels/programs.testing.ts', {
    root,
    configFile: false,
    logLevel: 'warn',
  });
  return module.loadedPrograms;
}
