// Measures a model file in a process of its own: node bench/real/child.mjs FILE RUN, where RUN is JSON. Prints JSON.
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { withModules } from '../modules.mjs';

const [path = '', run = ''] = process.argv.slice(2);
const figures = await withModules(async (load) => {
  const { measureReal } = await load('real/measure.ts');
  const { nodeFolder } = await load('../src/io/node-file.ts');
  return measureReal(await nodeFolder(path), JSON.parse(run));
});
const memoryBytes = 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
console.log(JSON.stringify({ ...figures, memoryBytes }));
