/** A family whose mixer, router and expert kind are its own: this file is all that they need. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { ExpertKind, Mixer, Router } from '../blocks/block.ts';
import type { ModelFamily } from '../blocks/family.ts';
import { f32Safetensors } from '../containers/safetensors.testing.ts';
import { dispatch } from '../graph/node.ts';
import { defineOp } from '../graph/op.ts';
import { linearNode } from '../graph/ops/linear.ts';
import { expertsNode } from '../graph/ops/moe.ts';
import type { Tensor } from '../graph/tensor.ts';
import { memoryFolder } from '../io/memory.ts';
import type { FolderSource } from '../io/source.ts';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../kernels/common.ts';
import { cross, defineKernel } from '../kernels/kernel.ts';
import { randomNormal } from '../kernels/testing.ts';
import type { BlockSpec, ExpertSpec, MoeSpec, RouterSpec } from '../models/spec.ts';
import type { ExpertRows } from '../weights/tensor-rows.ts';
import type { LoadOptions } from './api.ts';
import type { LocalEngine } from './engine.ts';
import { forced } from './streaming.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

/** The mixer: weight (x[t] + x[t - 1]), with the last x of the step before kept as a state. */
interface ShiftSpec extends BlockSpec {
  readonly kind: 'shift';
  readonly weight: string; // [hidden, hidden]
}

const WG = 64;

const shiftKernel = defineKernel({
  name: 'toy-shift',
  bindings: { x: 'read', kept: 'write', y: 'write' },
  params: { tokens: 'u32', past: 'u32', cols: 'u32' },
  variants: cross({ scalar: SCALARS }),
  parts: ({ scalar }) => [
    scalarPrelude(scalar),
    gridPart,
    {
      name: 'toy-shift.wgsl',
      text: `
struct Params { tokens: u32, past: u32, cols: u32, }
@group(0) @binding(0) var<storage, read> x: array<scalar>;
@group(0) @binding(1) var<storage, read_write> kept: array<scalar>;
@group(0) @binding(2) var<storage, read_write> y: array<scalar>;
@group(0) @binding(3) var<uniform> params: Params;
@compute @workgroup_size(${WG})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * ${WG} + lane;
  if (at < params.tokens * params.cols) {
    var before = scalar(0);
    if (at >= params.cols) {
      before = x[at - params.cols];
    } else if (params.past > 0) {
      before = kept[(params.past - 1) * params.cols + at];
    }
    kept[params.past * params.cols + at] = x[at];
    y[at] = x[at] + before;
  }
}`,
    },
  ],
  overrides: () => ({}),
  features: featuresOf,
  key: ({ scalar }) => `toy-shift/${scalar}`,
  grid: ({ count }: { readonly count: number }) => foldGrid(Math.ceil(count / WG)),
});

const shiftNode = defineOp<{ readonly x: Tensor; readonly kept: Tensor; readonly y: Tensor }>({
  name: 'toy-shift',
  reads: ({ x, kept }) => [x, kept],
  writes: ({ kept, y }) => [kept, y],
  lower: (context, { x, kept, y }) => [
    context.choose(
      shiftKernel,
      shiftKernel.variants.filter(({ scalar }) => scalar === context.scalar),
      'any',
      (variant) =>
        dispatch(shiftKernel, variant, {
          buffers: { x, kept, y },
          params: ({ tokens, past }) => ({ tokens, past, cols: x.perToken }),
          size: ({ tokens }) => ({ count: tokens * x.perToken }),
        }),
    ),
  ],
  run(context, { x, kept, y }) {
    const [from, cache, cols] = [context.floats(x), context.floats(kept), x.perToken];
    cache.set(from, context.step.past * cols);
    const first = context.step.past * cols;
    context.put(
      y,
      from.map((value, at) => value + (first + at < cols ? 0 : (cache[first + at - cols] ?? NaN))),
    );
  },
});

const shift: Mixer<ShiftSpec> = {
  kind: 'shift',
  state: () => [{ name: 'kept', perPosition: HIDDEN }],
  add(site, x, { weight }, { kept }) {
    const { builder, label, hidden } = site;
    const sum = builder.tensor(`${label} shifted`, { perToken: hidden });
    builder.add(shiftNode(`${label} shift`, { x, kept: kept!, y: sum }));
    const y = site.stream(`${label} shift out`);
    builder.add(
      linearNode(`${label} shift out`, { x: sum, weight: builder.matrix(weight, hidden, hidden, weight), y }),
    );
    return y;
  },
};

/** The router: the expert that a linear layer likes least, always with weight 0.5. */
interface LeastScore {
  readonly kind: 'least';
  readonly weight: string; // [experts, hidden]
}

const leastKernel = defineKernel({
  name: 'toy-least',
  bindings: { scores: 'read', ids: 'write', weights: 'write' },
  params: { tokens: 'u32', experts: 'u32' },
  variants: [{ form: 'lane' }],
  parts: () => [
    gridPart,
    {
      name: 'toy-least.wgsl',
      text: `
struct Params { tokens: u32, experts: u32, }
@group(0) @binding(0) var<storage, read> scores: array<f32>;
@group(0) @binding(1) var<storage, read_write> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;
@compute @workgroup_size(${WG})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let token = linear_group(group, groups) * ${WG} + lane;
  if (token < params.tokens) {
    var least = 0u;
    for (var expert = 1u; expert < params.experts; expert++) {
      let better = scores[token * params.experts + expert] < scores[token * params.experts + least];
      least = select(least, expert, better);
    }
    ids[token] = least;
    weights[token] = 0.5;
  }
}`,
    },
  ],
  overrides: () => ({}),
  key: ({ form }) => `toy-least/${form}`,
  grid: ({ tokens }: { readonly tokens: number }) => foldGrid(Math.ceil(tokens / WG)),
});

const leastNode = defineOp<{ readonly scores: Tensor; readonly ids: Tensor; readonly weights: Tensor }>({
  name: 'toy-least',
  reads: ({ scores }) => [scores],
  writes: ({ ids, weights }) => [ids, weights],
  lower: (context, { scores, ids, weights }) => [
    context.choose(leastKernel, leastKernel.variants, 'any', (variant) =>
      dispatch(leastKernel, variant, {
        buffers: { scores, ids, weights },
        params: ({ tokens }) => ({ tokens, experts: scores.perToken }),
        size: ({ tokens }) => ({ tokens }),
      }),
    ),
  ],
  run(context, { scores, ids, weights }) {
    const { tokens } = context.step;
    const all = context.floats(scores);
    const rows = Array.from({ length: tokens }, (_, token) =>
      all.subarray(token * scores.perToken, (token + 1) * scores.perToken),
    );
    context.put(
      ids,
      Uint32Array.from(rows, (row) => row.indexOf(Math.min(...row))),
    );
    context.put(weights, new Float32Array(tokens).fill(0.5));
  },
});

const least: Router<RouterSpec<LeastScore>> = {
  kind: 'least',
  most: () => 1,
  add(site, x, { score: { weight } }) {
    const { builder, label, hidden, experts } = site;
    const scores = builder.tensor(`${label} scores`, { type: 'f32', perToken: experts });
    builder.add(
      linearNode(`${label} scores`, { x, weight: builder.exact(weight, experts, hidden, weight), y: scores }),
    );
    const routes = site.routes(1);
    builder.add(leastNode(label, { scores, ...routes }));
    return routes;
  },
};

/** The expert kind: down(relu(up x) ** 2), as relu(g x) * (u x) with `up` for both. */
interface SquaredSpec extends ExpertSpec {
  readonly kind: 'squared';
  readonly width: number;
  readonly up: ExpertRows; // [width, hidden]
  readonly down: ExpertRows; // [hidden, width]
}

const squared: ExpertKind<SquaredSpec> = {
  kind: 'squared',
  inWaves: true,
  skipsBy: 'id',
  parts: ({ width, up, down }, hidden) => ({
    gate: { rows: up, shape: [width, hidden] },
    up: { rows: up, shape: [width, hidden] },
    down: { rows: down, shape: [hidden, width] },
  }),
  add(site, x, routes, { width }) {
    const { builder, label, hidden, bank, experts } = site;
    const y = site.stream(`${label} squared`);
    builder.add(
      expertsNode(label, { x, ...routes, y, bank, experts, topK: 1, hidden, width, activation: 'relu' }),
    );
    return y;
  },
};

const [VOCAB, HIDDEN, EXPERTS, WIDTH, EPS] = [20, 16, 6, 8, 1e-5];
const SHAPES: Readonly<Record<string, readonly number[]>> = {
  embedding: [VOCAB, HIDDEN],
  'mixer norm': [HIDDEN],
  mixer: [HIDDEN, HIDDEN],
  'experts norm': [HIDDEN],
  router: [EXPERTS, HIDDEN],
  ...Object.fromEntries(
    Array.from({ length: EXPERTS }, (_, expert) => [
      [`expert ${expert} up`, [WIDTH, HIDDEN]],
      [`expert ${expert} down`, [HIDDEN, WIDTH]],
    ]).flat(),
  ),
  norm: [HIDDEN],
};

const family: ModelFamily = {
  modelTypes: ['outside'],
  blocks: { mixers: [shift], routers: [least], experts: [squared] },
  parse: (config) => {
    const mixer: ShiftSpec = { kind: 'shift', weight: 'mixer' };
    const moe: MoeSpec<RouterSpec<LeastScore>, SquaredSpec> = {
      kind: 'moe',
      experts: config.count(['num_experts']),
      router: { score: { kind: 'least', weight: 'router' }, select: { kind: 'topK', k: 1 } },
      expert: {
        kind: 'squared',
        width: WIDTH,
        up: { tensor: 'expert {expert} up', shape: [WIDTH, HIDDEN] },
        down: { tensor: 'expert {expert} down', shape: [HIDDEN, WIDTH] },
      },
    };
    const sublayers = [
      { norm: 'mixer norm', block: mixer },
      { norm: 'experts norm', block: moe },
    ];
    return {
      family: 'outside',
      vocab: VOCAB,
      hidden: HIDDEN,
      eps: EPS,
      maxContextTokens: 32,
      layers: [{ sublayers }],
      embedding: 'embedding',
      embeddingMultiplier: 1,
      residualMultiplier: 1,
      norm: 'norm',
      head: 'embedding',
      logitsMultiplier: 1,
      bosId: undefined,
      eosIds: [],
    };
  },
};

const VALUES = Object.fromEntries(
  Object.entries(SHAPES).map(([name, shape], seed) => {
    const count = shape.reduce((product, size) => product * size, 1);
    return [name, randomNormal(count, seed + 1, shape.length === 1 ? 1 : 0.4)];
  }),
) as Record<string, Float32Array>;

/** weight x, for one row x. */
function times(name: string, x: readonly number[]): number[] {
  const weight = VALUES[name]!;
  return Array.from({ length: weight.length / x.length }, (_, row) =>
    x.reduce((sum, value, col) => sum + value * weight[row * x.length + col]!, 0),
  );
}

function normed(name: string, x: readonly number[]): number[] {
  const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  return x.map((value, at) => (value / Math.sqrt(mean + EPS)) * VALUES[name]![at]!);
}

/** The model in plain loops: logits [tokens, vocab]. */
function reference(ids: readonly number[]): number[] {
  let before: readonly number[] = Array<number>(HIDDEN).fill(0);
  return ids.flatMap((id) => {
    let x = [...VALUES['embedding']!.subarray(id * HIDDEN, (id + 1) * HIDDEN)];
    const a = normed('mixer norm', x);
    const mixed = times(
      'mixer',
      a.map((value, at) => value + before[at]!),
    );
    before = a;
    x = x.map((value, at) => value + mixed[at]!);
    const b = normed('experts norm', x);
    const scores = times('router', b);
    const expert = scores.indexOf(Math.min(...scores));
    const h = times(`expert ${expert} up`, b).map((value) => Math.max(0, value) ** 2);
    const y = times(`expert ${expert} down`, h);
    x = x.map((value, at) => value + 0.5 * y[at]!);
    return times('embedding', normed('norm', x));
  });
}

const IDS = Array.from({ length: 24 }, (_, at) => (at * 7 + 3) % VOCAB);
const PROMPT_TOKENS = 12;

let folder: FolderSource;

beforeAll(() => {
  const tensors = Object.entries(SHAPES).map(
    ([name, shape]) => [name, { shape, values: [...VALUES[name]!] }] as const,
  );
  folder = memoryFolder({
    'config.json': new TextEncoder().encode(JSON.stringify({ model_type: 'outside', num_experts: EXPERTS })),
    'model.safetensors': f32Safetensors(Object.fromEntries(tensors)),
  });
});

async function load(options: LoadOptions = {}, device?: 'cpu' | 'reference'): Promise<LocalEngine> {
  const engine = await openEngine({ families: [family], ...(device ? { device } : {}) });
  await engine.load(folder, options);
  return engine;
}

test.each(['gpu', 'cpu', 'reference'] as const)('all tokens at once on %s', async (device) => {
  const engine = await load({}, device === 'gpu' ? undefined : device);
  expect(engine.model?.plan).toMatchObject({ family: 'outside', experts: EXPERTS, expertsPerToken: 1 });
  expect(largestError(await engine.logits(IDS), reference(IDS))).toBeLessThan(1e-4);
  engine.dispose();
});

describe('a prompt, then token by token', () => {
  test('is the same with all experts and with two places for them', async () => {
    const engine = await load();
    const resident = await forced(engine.runner, IDS, PROMPT_TOKENS);
    engine.dispose();
    const want = reference(IDS).slice((PROMPT_TOKENS - 1) * VOCAB);
    expect(largestError(resident, want)).toBeLessThan(1e-4);
    const streamed = await load({ streaming: { slotsPerLayer: 2 } });
    expect(firstDifference(await forced(streamed.runner, IDS, PROMPT_TOKENS), resident)).toBe('equal');
    expect(await streamed.streaming()).toMatchObject({ unitsPerLayer: EXPERTS, slotsPerLayer: 2 });
    streamed.dispose();
  });
});

test('a kind that neither the family nor Atomoe has is named, with those that there are', async () => {
  const { blocks: _, ...without } = family;
  const engine = await openEngine({ families: [without], device: 'cpu' });
  await expect(engine.load(folder)).rejects.toMatchObject({
    code: 'unsupported-model',
    message: expect.stringMatching(
      /^no mixer is called "shift"; wanted one of attention, dense, .*; a family from outside has its own in `blocks`$/,
    ),
  });
  engine.dispose();
});
