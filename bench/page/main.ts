/** The page that `bench/run.mjs` drives: one function for each part. */
import { peerPart } from '../parts/a-peer.ts';
import { kernelsPart } from '../parts/b-kernels.ts';
import { atomicPart } from '../parts/c-atomic.ts';
import { routerPart } from '../parts/d-router.ts';
import { streamingPart } from '../parts/e-streaming.ts';
import { cpuPart } from '../parts/f-cpu.ts';
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
  }
}

window.bench = async (part) => {
  const run = parts[part];
  if (!run) throw new Error(`no part ${part}; there are ${Object.keys(parts).join(', ')}`);
  return run();
};
