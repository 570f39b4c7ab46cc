/** The page that `bench/run.mjs` drives: one function for each part. */
import { peerPart } from '../parts/a-peer.ts';
import { kernelsPart } from '../parts/b-kernels.ts';
import { atomicPart } from '../parts/c-atomic.ts';
import { routerPart } from '../parts/d-router.ts';
import { streamingPart } from '../parts/e-streaming.ts';
import { cpuPart } from '../parts/f-cpu.ts';
import { tellWithWllama } from '../peer/wllama.ts';
import type { RealFigures, RealRun } from '../real/measure.ts';
import type { PartResult } from '../report.ts';

const parts: Readonly<Record<string, () => Promise<PartResult>>> = {
  a: peerPart,
  b: kernelsPart,
  c: atomicPart,
  d: routerPart,
  e: streamingPart,
  f: cpuPart,
};

declare global {
  interface Window {
    bench: (part: string) => Promise<PartResult>;
    /** Measures the file that was chosen in the page's input. */
    measureReal: (run: RealRun) => Promise<RealFigures>;
    /** Tokens per second of wllama with that file. */
    wllamaReal: (run: RealRun) => Promise<number>;
  }
}

window.bench = async (part) => {
  const run = parts[part];
  if (!run) throw new Error(`no part ${part}; there are ${Object.keys(parts).join(', ')}`);
  return run();
};

function chosenFile(): File {
  const file = document.querySelector('input')?.files?.[0];
  if (!file) throw new Error('no file was chosen');
  return file;
}

window.measureReal = (run) => {
  const worker = new Worker(new URL('./real-worker.ts', import.meta.url), { type: 'module' });
  return new Promise<RealFigures>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<{ figures?: RealFigures; error?: string }>) =>
      data.figures ? resolve(data.figures) : reject(new Error(data.error));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage({ file: chosenFile(), run });
  }).finally(() => worker.terminate());
};

window.wllamaReal = (run) => tellWithWllama(chosenFile(), run);
