/** What the machine gives at most: the best plain copy and the best multiply-add loop, measured like everything else. */
import copySource from './shaders/copy.wgsl?raw';
import multiplyAddSource from './shaders/multiply-add.wgsl?raw';
import { slice, type Buffer } from '../src/gpu/buffer.ts';
import type { Gpu } from '../src/gpu/device.ts';
import { bind } from '../src/gpu/pipeline.ts';
import type { Program } from '../src/gpu/program.ts';
import { paramsSizeBytes, writeParams, type Command } from '../src/gpu/recorder.ts';
import { constants, foldGrid, gridPart } from '../src/kernels/common.ts';
import { digits, say } from './report.ts';
import { timeInTurns } from './timing.ts';

export interface MachineLimits {
  readonly bytesPerSecond: number; // read and written both count
  readonly copyShape: string;
  readonly opsPerSecond: number; // a multiply-add is two
  readonly multiplyAddShape: string;
}

const COPY_BYTES = 64 * 2 ** 20; // far beyond any cache of a CPU; small beside a GPU's memory
const COPY_SHAPES = [
  { wg: 64, perLane: 1 },
  { wg: 256, perLane: 1 },
  { wg: 64, perLane: 4 },
  { wg: 64, perLane: 16 },
  { wg: 8, perLane: 64 },
] as const;
const MULTIPLY_ADD_STEPS = 64;
const MULTIPLY_ADD_LANES = 2 ** 17; // enough to fill a GPU
const MULTIPLY_ADD_SHAPES = [2, 4, 8].flatMap((chains) =>
  [true, false].flatMap((fused) => [8, 64].map((wg) => ({ chains, fused, wg }))),
);

/** Compiles a program and binds it; its parameters go into a buffer of their own. */
async function command(
  gpu: Gpu,
  program: Program,
  buffers: Readonly<Record<string, Buffer>>,
  params: Readonly<Record<string, number>>,
  grid: Command['grid'],
  made: Buffer[],
): Promise<Command> {
  const sizeBytes = paramsSizeBytes(program.params);
  const uniform = gpu.createBuffer({ label: 'params', sizeBytes, kind: 'activations', use: 'uniform' });
  made.push(uniform);
  const words = new DataView(new ArrayBuffer(sizeBytes));
  writeParams(words, 0, program.params, params);
  gpu.write(uniform, 0, words);
  const slices = Object.fromEntries(Object.entries(buffers).map(([name, buffer]) => [name, slice(buffer)]));
  return { group: bind(gpu, await gpu.pipelines.compile(program), slices, slice(uniform)), grid };
}

async function copies(gpu: Gpu, made: Buffer[]): Promise<{ shape: string; command: Command }[]> {
  const buffer = (label: string) => {
    const whole = gpu.createBuffer({ label, sizeBytes: COPY_BYTES, kind: 'activations' });
    made.push(whole);
    return whole;
  };
  const buffers = { x: buffer('copy from'), y: buffer('copy to') };
  const count = COPY_BYTES / 16;
  return Promise.all(
    COPY_SHAPES.map(async ({ wg, perLane }) => {
      const program: Program = {
        key: `copy/wg${wg}/${perLane}`,
        bindings: { x: 'read', y: 'write' },
        params: { count: 'u32' },
        parts: [constants({ PER_LANE: perLane }), gridPart, { name: 'copy.wgsl', text: copySource }],
        overrides: { WG: wg },
        features: [],
      };
      const grid = foldGrid(Math.ceil(count / (wg * perLane)));
      return { shape: program.key, command: await command(gpu, program, buffers, { count }, grid, made) };
    }),
  );
}

async function multiplyAdds(
  gpu: Gpu,
  made: Buffer[],
): Promise<{ shape: string; ops: number; command: Command }[]> {
  const y = gpu.createBuffer({ label: 'sums', sizeBytes: 4 * MULTIPLY_ADD_LANES, kind: 'activations' });
  made.push(y);
  return Promise.all(
    MULTIPLY_ADD_SHAPES.map(async ({ chains, fused, wg }) => {
      const body = fused ? 'fma(v, a, b)' : 'v * a + b';
      const step = `fn step(v: vec4<f32>, a: vec4<f32>, b: vec4<f32>) -> vec4<f32> { return ${body}; }`;
      const program: Program = {
        key: `multiply-add/${chains}${fused ? ' fused' : ''}/wg${wg}`,
        bindings: { y: 'write' },
        params: { steps: 'u32', a: 'f32', b: 'f32' },
        parts: [
          constants({ CHAINS: chains }),
          { name: 'step', text: step },
          { name: 'multiply-add.wgsl', text: multiplyAddSource },
        ],
        overrides: { WG: wg },
        features: [],
      };
      const params = { steps: MULTIPLY_ADD_STEPS, a: 0.999, b: 0.001 };
      return {
        shape: program.key,
        ops: 2 * 4 * chains * MULTIPLY_ADD_STEPS * MULTIPLY_ADD_LANES,
        command: await command(gpu, program, { y }, params, [MULTIPLY_ADD_LANES / wg, 1, 1], made),
      };
    }),
  );
}

function best<T extends { readonly rate: number }>(list: readonly T[]): T {
  const [first] = [...list].sort((a, b) => b.rate - a.rate);
  if (!first) throw new Error('nothing was measured');
  return first;
}

/** Measures both limits; the best shape of each counts. */
export async function measureLimits(gpu: Gpu): Promise<MachineLimits> {
  const made: Buffer[] = [];
  try {
    const moved = await copies(gpu, made);
    const copyTimes = await timeInTurns(
      gpu,
      moved.map(({ command: one }) => [one]),
    );
    const copied = moved.map(({ shape }, i) => ({
      shape,
      rate: (2 * COPY_BYTES * 1000) / (copyTimes[i]?.median ?? NaN),
    }));
    const chains = await multiplyAdds(gpu, made);
    const chainTimes = await timeInTurns(
      gpu,
      chains.map(({ command: one }) => [one]),
    );
    const added = chains.map(({ shape, ops }, i) => ({
      shape,
      rate: (ops * 1000) / (chainTimes[i]?.median ?? NaN),
    }));
    const copy = best(copied);
    const multiplyAdd = best(added);
    say(
      `copy ${digits(copy.rate / 1e9)} GB/s (${copy.shape}), ${digits(multiplyAdd.rate / 1e9)} Gop/s (${multiplyAdd.shape})`,
    );
    return {
      bytesPerSecond: copy.rate,
      copyShape: copy.shape,
      opsPerSecond: multiplyAdd.rate,
      multiplyAddShape: multiplyAdd.shape,
    };
  } finally {
    for (const buffer of made) buffer.dispose();
  }
}

/** The least time that work can take on this machine, in milliseconds. */
export function boundMs({ bytesPerSecond, opsPerSecond }: MachineLimits, { bytes, ops }: Work): number {
  return 1000 * Math.max(bytes / bytesPerSecond, ops / opsPerSecond);
}

/** What a kernel has to do at the least. */
export interface Work {
  readonly bytes: number;
  readonly ops: number; // a multiply-add is two
}
