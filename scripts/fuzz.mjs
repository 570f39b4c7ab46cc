// `npm run fuzz -- N [SEED]`: damages a tiny model in N ways and opens it as a page would. Every case must end in one
// AtomoeError or in a reply, within two seconds of processor time and 256 MB. `npm run fuzz -- --case I [SEED]` runs one.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { build } from 'vite';

const root = resolve(import.meta.dirname, '..');
const outDir = join(root, 'node_modules/.cache/atomoe-fuzz');

const LIMIT_MS = 2000; // of processor time, so that a busy machine fails nothing
const LIMIT_BYTES = 256e6;
const SILENT_MS = 120_000; // of wall time: a case that waits for ever uses no processor
const TICK_MS = 100;

/** @typedef {import('./fuzz/worker.ts').Report} Report */
/** @typedef {{ index: number, what: string, fault: string, why: string }} Fault */

/** Bundles the worker: Node cannot load TypeScript and shaders by itself. */
async function bundle() {
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    publicDir: false,
    build: {
      outDir,
      emptyOutDir: true,
      ssr: resolve(import.meta.dirname, 'fuzz/worker.ts'),
      target: 'node20',
      minify: false,
      rolldownOptions: { external: ['webgpu'], output: { entryFileNames: 'worker.mjs' } },
    },
    ssr: { noExternal: true, external: ['webgpu'] },
  });
  return join(outDir, 'worker.mjs');
}

/**
 * Processor time of a process so far, or undefined where the system does not tell.
 * @param {number | undefined} pid
 */
function cpuMsOf(pid) {
  try {
    const [, after = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
    const fields = after.split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10; // ticks of 1/100 s
  } catch {
    return undefined;
  }
}

/** @param {Extract<Report, { kind: 'end' }>} report */
function faultOf({ verdict, cpuMs, grownBytes }) {
  if (verdict === 'untyped' || verdict === 'wrongly accepted') return verdict;
  if (cpuMs > LIMIT_MS) return `took ${Math.round(cpuMs)} ms`;
  if (grownBytes > LIMIT_BYTES) return `took ${Math.round(grownBytes / 1e6)} MB`;
  return undefined;
}

/**
 * Runs cases in one process until it ends or hangs.
 * @param {string} worker
 * @param {{ seed: number, from: number, to: number }} order
 * @param {(report: Report) => void} onReport
 * @param {(fault: Fault) => void} onFault
 * @returns {Promise<number>} the number of the next case
 */
async function runSome(worker, order, onReport, onFault) {
  const child = fork(worker, { execArgv: ['--max-old-space-size=1024'] });
  let next = order.from;
  let current = { index: order.from, what: 'start' };
  let startCpuMs = cpuMsOf(child.pid);
  let startMs = performance.now();
  let isDone = false;
  let stopped = '';
  const watch = setInterval(() => {
    const usedMs = (cpuMsOf(child.pid) ?? 0) - (startCpuMs ?? 0);
    const isSilent = performance.now() - startMs > SILENT_MS;
    // A margin: what ends in time by itself is judged by the worker.
    if (current.what === 'start' ? !isSilent : !isSilent && usedMs <= LIMIT_MS * 1.5) return;
    stopped = isSilent ? 'never ends' : 'hangs';
    child.kill('SIGKILL');
  }, TICK_MS);
  child.on('message', (/** @type {Report} */ report) => {
    onReport(report);
    if (report.kind === 'done') {
      isDone = true;
      child.kill();
      return;
    }
    startMs = performance.now();
    if (report.kind === 'begin') {
      current = report;
      startCpuMs = cpuMsOf(child.pid);
      return;
    }
    next = report.index + 1;
    const fault = faultOf(report);
    if (fault !== undefined) onFault({ index: report.index, what: report.what, fault, why: report.why });
  });
  child.send(order);
  const code = await new Promise((end) => child.on('close', end));
  clearInterval(watch);
  if (isDone) return order.to;
  if (next <= current.index) next = current.index + 1;
  onFault({ ...current, fault: stopped || `ended the process (${code})`, why: '' });
  return next;
}

async function main() {
  const args = process.argv.slice(2);
  const isOne = args[0] === '--case';
  const [count = 2000, seed = 1] = args.slice(isOne ? 1 : 0).map(Number);
  const [from, to] = isOne ? [count, count + 1] : [0, count];
  if (!Number.isSafeInteger(count) || count < 0 || !Number.isSafeInteger(seed)) {
    throw new Error('usage: npm run fuzz -- [--case] N [SEED]');
  }
  const worker = await bundle();
  /** @type {Fault[]} */
  const faults = [];
  /** @type {Record<string, number>} */
  const verdicts = {};
  const parts = isOne ? 1 : Math.min(2, availableParallelism());
  const size = Math.ceil((to - from) / parts);
  await Promise.all(
    Array.from({ length: parts }, async (_, part) => {
      const end = Math.min(to, from + (part + 1) * size);
      for (let next = from + part * size; next < end;) {
        const onReport = (/** @type {Report} */ report) => {
          if (report.kind === 'end') verdicts[report.verdict] = (verdicts[report.verdict] ?? 0) + 1;
          if (report.kind === 'end' && isOne) console.log(report);
        };
        next = await runSome(worker, { seed, from: next, to: end }, onReport, (fault) => faults.push(fault));
      }
    }),
  );
  for (const { index, what, fault, why } of faults.sort((a, b) => a.index - b.index)) {
    console.log(
      `case ${index} (${what.slice(0, 120)}): ${fault}: ${why.split('\n').slice(0, 6).join('\n  ')}`,
    );
  }
  console.log(`seed ${seed}, verdicts: ${JSON.stringify(verdicts)}`);
  console.log(`${to - from - faults.length} passed, ${faults.length} failed`);
  process.exitCode = faults.length > 0 ? 1 : 0;
}

await main();
