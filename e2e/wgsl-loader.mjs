// Lets Node load shaders as the bundler does: `import text from './x.wgsl?raw'`. What end-to-end tests take from src needs it.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** @type {import('node:module').LoadHook} */
export async function load(url, context, nextLoad) {
  const { pathname, protocol } = new URL(url);
  if (protocol !== 'file:' || !pathname.endsWith('.wgsl')) return nextLoad(url, context);
  const text = await readFile(fileURLToPath(`file://${pathname}`), 'utf8');
  return { format: 'module', shortCircuit: true, source: `export default ${JSON.stringify(text)};` };
}
