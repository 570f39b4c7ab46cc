/** (b) Every hot kernel as the engine runs it, against the best copy and multiply-add loops of the same run. */
import { Gpu } from '../../src/gpu/device.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import { attentionNode } from '../../src/graph/ops/attention.ts';
import { gateNode } from '../../src/graph/ops/gate.ts';
import { linearNode } from '../../src/graph/ops/linear.ts';
import { expertsNode } from '../../src/graph/ops/moe.ts';
import { rmsNormNode } from '../../src/graph/ops/norm.ts';
import { productRouteNode } from '../../src/graph/ops/product-route.ts';
import { boundMs, measureLimits, type MachineLimits, type Work } from '../limits.ts';
import { digits, percent, say, table, type PartResult } from '../report.ts';
import { Rig, type RigOptions } from '../rig.ts';
import type { Measured } from '../stats.ts';
import { timeCommands } from '../timing.ts';
import { atomicNodes, randomIds } from '../atomic.ts';
import { loadFormats, weightFormat, type FormatName } from '../../src/weights/formats/index.ts';
import { matrixLayout } from '../../src/weights/matrix.ts';

/** One op at one size, and what each of its kernels has to do at the least. */
interface Case {
  readonly title: string;
  readonly build: (builder: GraphBuilder) => void;
  readonly rig: RigOptions;
  /** By the first word of a kernel's key. Kernels that are not named are timed without a bound. */
  readonly work: Readonly<Record<string, Work>>;
}

/** Of a weight, its share of the scale included. */
function weightBytes(format: FormatName): number {
  const rows = 64; // enough that padding does not count
  const { block } = weightFormat(format);
  return matrixLayout(format, rows, block).sizeBytes / (rows * block);
}

function linearCase(format: FormatName, tokens: number): Case {
  const [outs, cols] = [4096, 1024];
  const work = {
    bytes: outs * cols * weightBytes(format) + 4 * tokens * (outs + cols),
    ops: 2 * tokens * outs * cols,
  };
  return {
    title: `linear ${outs}x${cols} ${format}, ${tokens} ${tokens === 1 ? 'row' : 'rows'}`,
    rig: { tokens, format },
    work: { linear: work, 'linear-lane': work, 'linear-tiled': work },
    build: (builder) => {
      const x = builder.tensor('x', { role: 'input', perToken: cols });
      const y = builder.tensor('y', { role: 'output', perToken: outs });
      builder.add(linearNode('linear', { x, y, weight: builder.matrix('w', outs, cols, 'w') }));
    },
  };
}

function expertsCase(tokens: number, format: FormatName): Case {
  const { hidden, width, experts, topK } = { hidden: 1024, width: 512, experts: 32, topK: 4 };
  const pairs = tokens * topK;
  const active = Math.min(experts, pairs);
  const matrix = hidden * width * weightBytes(format);
  const up = {
    bytes: active * 2 * matrix + 4 * (tokens * hidden + pairs * width),
    ops: 4 * pairs * hidden * width,
  };
  const down = {
    bytes: active * matrix + 4 * (pairs * width + tokens * hidden),
    ops: 2 * pairs * hidden * width,
  };
  const ids = Uint32Array.from({ length: pairs }, (_, i) => (i * 7 + Math.floor(i / topK) * 3) % experts);
  return {
    title: `experts ${experts}x${width}x${hidden} top-${topK} ${format}, ${tokens} ${tokens === 1 ? 'token' : 'tokens'}`,
    rig: {
      tokens,
      format,
      experts: {
        units: experts,
        shapes: { gate: [width, hidden], up: [width, hidden], down: [hidden, width] },
      },
      inputs: { 'expert ids': ids },
    },
    work: {
      'expert-gate-up': up,
      'expert-down': down,
      'expert-gate-up-tiled': up,
      'expert-down-tiled': down,
    },
    build: (builder) => {
      const x = builder.tensor('x', { role: 'input', perToken: hidden });
      const chosen = builder.tensor('expert ids', { type: 'u32', role: 'input', perToken: topK });
      const weights = builder.tensor('expert weights', { type: 'f32', role: 'input', perToken: topK });
      const y = builder.tensor('y', { role: 'output', perToken: hidden });
      const shape = { bank: 0, experts, topK, hidden, width, activation: 'silu' } as const;
      builder.add(expertsNode('experts', { x, ids: chosen, weights, y, ...shape }));
    },
  };
}

function attentionCase(tokens: number, past: number): Case {
  const { heads, kvHeads, headDim } = { heads: 16, kvHeads: 4, headDim: 128 };
  const keys = tokens * past + (tokens * (tokens + 1)) / 2; // that all queries of a head see together
  const cached = (past + tokens) * kvHeads * headDim;
  const queries = tokens * heads * headDim;
  const whole = { bytes: 4 * (2 * cached + 2 * queries), ops: 4 * keys * heads * headDim };
  const half = { bytes: 4 * (cached + queries), ops: 2 * keys * heads * headDim };
  return {
    title: `attention ${heads}/${kvHeads} heads of ${headDim}, ${tokens} ${tokens === 1 ? 'token' : 'tokens'} after ${past}`,
    rig: { tokens, past },
    work: { attention: whole, 'attention-scores': half, 'attention-values': half },
    build: (builder) => {
      const state = { role: 'state', fixed: cached } as const;
      const q = builder.tensor('q', { role: 'input', perToken: heads * headDim });
      const o = builder.tensor('o', { role: 'output', perToken: heads * headDim });
      const kCache = builder.tensor('keys', state);
      const vCache = builder.tensor('values', state);
      const shape = { heads, kvHeads, headDim, scale: headDim ** -0.5, window: 0 };
      builder.add(attentionNode('attention', { ...shape, q, kCache, vCache, o }));
    },
  };
}

function rmsNormCase(rows: number, cols: number): Case {
  return {
    title: `rms-norm ${rows}x${cols}`,
    rig: { tokens: rows },
    work: { 'rms-norm': { bytes: 4 * cols * (2 * rows + 1), ops: 4 * rows * cols } },
    build: (builder) => {
      const x = builder.tensor('x', { role: 'input', perToken: cols });
      const y = builder.tensor('y', { role: 'output', perToken: cols });
      builder.add(rmsNormNode('norm', { x, y, gain: builder.exact('gain', 1, cols, 'gain'), eps: 1e-5 }));
    },
  };
}

function gateCase(tokens: number, experts: number, topK: number): Case {
  return {
    title: `gate ${experts} experts top-${topK}, ${tokens} tokens`,
    rig: { tokens },
    work: { gate: { bytes: 4 * tokens * (experts + 2 * topK), ops: tokens * experts * topK } },
    build: (builder) => {
      const logits = builder.tensor('logits', { type: 'f32', role: 'input', perToken: experts });
      const ids = builder.tensor('expert ids', { type: 'u32', role: 'output', perToken: topK });
      const weights = builder.tensor('expert weights', { type: 'f32', role: 'output', perToken: topK });
      const bias = builder.computed('bias', experts, 1, () => new Float32Array(experts));
      const rule = { score: 'softmax', renorm: 'sum', eps: 0, scale: 1, groups: null } as const;
      builder.add(gateNode('gate', { logits, bias, ids, weights, experts, topK, rule }));
    },
  };
}

function routeCase(tokens: number, grid: number, topK: number): Case {
  const k = Math.min(grid, topK);
  return {
    title: `product route ${grid}x${grid} top-${topK}, ${tokens} tokens`,
    rig: { tokens },
    work: {
      'product-halves': { bytes: 4 * tokens * (2 * grid + 4 * k), ops: tokens * 2 * grid * 8 },
      'product-route': { bytes: 4 * tokens * (4 * k + 3 * topK), ops: tokens * topK * Math.log2(topK) * 2 },
    },
    build: (builder) => {
      const scores = builder.tensor('scores', { type: 'f32', role: 'input', perToken: 2 * grid });
      const ids = builder.tensor('expert ids', { type: 'u32', role: 'output', perToken: topK });
      const weights = builder.tensor('expert weights', { type: 'f32', role: 'output', perToken: topK });
      const io = { scores, ids, weights, statistics: undefined, grid, topK, renormalise: false };
      builder.add(productRouteNode('route', io));
    },
  };
}

function atomicCase(tokens: number, grid: number, topK: number): Case {
  const hidden = 1024;
  const experts = grid * grid;
  const pairs = tokens * topK;
  const half = { bytes: pairs * hidden * 2 + 4 * tokens * hidden + 8 * pairs, ops: 2 * pairs * hidden };
  return {
    title: `atomic experts ${experts} of width ${hidden} f16, top-${topK}, ${tokens} ${tokens === 1 ? 'token' : 'tokens'}`,
    rig: {
      tokens,
      format: 'f16',
      experts: { units: grid, shapes: { in: [grid, hidden], out: [grid, hidden] } },
      inputs: { 'expert ids': randomIds(pairs, experts) },
      tuning: new Map(), // a tuner's pick of a schedule would hide the other's kernels
    },
    work: { 'atomic-scores': half, 'atomic-combine': half },
    build: (builder) => atomicNodes(builder, { experts, topK, hidden, activation: 'silu' }),
  };
}

await loadFormats(['q8_0', 'q4_0']);

const CASES: readonly Case[] = [
  ...(['f32', 'f16', 'q8_0', 'q4_0'] as const).flatMap((format) => [
    linearCase(format, 1),
    linearCase(format, 128),
  ]),
  expertsCase(1, 'q4_0'),
  expertsCase(128, 'q4_0'),
  attentionCase(1, 4096),
  attentionCase(128, 128),
  rmsNormCase(256, 2048),
  gateCase(256, 64, 8),
  routeCase(64, 320, 64),
  atomicCase(1, 128, 512),
  atomicCase(64, 128, 128),
];

interface KernelResult {
  readonly op: string;
  readonly kernel: string; // pipeline key
  readonly time: Measured; // ms
  readonly work: Work | undefined;
}

async function runCase(gpu: Gpu, { title, build, rig: options, work }: Case): Promise<KernelResult[]> {
  say(title);
  const rig = await Rig.open(gpu, build, options);
  try {
    const commands = rig.commands();
    const results: KernelResult[] = [];
    for (const command of commands) {
      const kernel = Rig.kernelOf(command);
      const time = await timeCommands(gpu, [command]);
      results.push({ op: title, kernel, time, work: work[kernel.split('/')[0] ?? ''] });
    }
    return results;
  } finally {
    rig.dispose();
  }
}

export async function kernelsPart(): Promise<PartResult> {
  const gpu = await Gpu.open({ features: ['subgroups', 'shader-f16'], limits: 'adapter' });
  const before = await measureLimits(gpu);
  const results: KernelResult[] = [];
  for (const one of CASES) results.push(...(await runCase(gpu, one)));
  const after = await measureLimits(gpu);
  const limits = after.opsPerSecond > before.opsPerSecond ? after : before;
  const best: MachineLimits = {
    ...limits,
    bytesPerSecond: Math.max(before.bytesPerSecond, after.bytesPerSecond),
    opsPerSecond: Math.max(before.opsPerSecond, after.opsPerSecond),
  };
  gpu.dispose();
  const rows = results.map(({ op, kernel, time, work }) => {
    const seconds = time.median / 1000;
    const noise = `± ${(100 * time.noise).toFixed(0)} %`;
    if (!work) return [op, kernel, `${digits(time.median)} ${noise}`, '–', '–', '–'];
    return [
      op,
      kernel,
      `${digits(time.median)} ${noise}`,
      digits(work.bytes / seconds / 1e9),
      digits(work.ops / seconds / 1e9),
      percent(boundMs(best, work) / time.median),
    ];
  });
  const markdown = [
    `Machine: copy ${digits(best.bytesPerSecond / 1e9)} GB/s (\`${best.copyShape}\`), multiply-add ` +
      `${digits(best.opsPerSecond / 1e9)} Gop/s (\`${best.multiplyAddShape}\`), each the best of several shapes, before and ` +
      'after the kernels. "Of bound" is max(bytes / copy, operations / multiply-add) over the time.',
    '',
    table(['op', 'kernel', 'ms', 'GB/s', 'Gop/s', 'of bound'], rows),
  ].join('\n');
  return { markdown, results: { limits: best, kernels: results } };
}
