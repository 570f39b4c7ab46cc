// Measures a model file in a process of its own: node bench/real/child.mjs FILE RUN, where RUN is JSON. Prints JSON.
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { withModules } from '../modules.mjs';

const [path = '', run = ''] = process.argv.slice(2);
/** @param {'VmHWM' | 'VmRSS'} what */
const resident = (what) =>
  1024 * Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

let idleBytes = 0; // of the process with the tools that load modules
const figures = await withModules(async (load) => {
  const { measureReal } = await load('real/measure.ts');
  const { nodeFolder } = await load('../src/io/node-file.ts');
  idleBytes = resident('VmRSS');
  return measureReal(await nodeFolder(path), JSON.parse(run));
});
console.log(JSON.stringify({ ...figures, memoryBytes: resident('VmHWM') - idleBytes }));
