/** A family and a kernel defined from outside: this file is all that they need. */
import { expect, test } from 'vitest';
import { f32Safetensors } from '../containers/safetensors.testing.ts';
import { dispatch } from '../graph/node.ts';
import { defineOp } from '../graph/op.ts';
import { embeddingNode } from '../graph/ops/basic.ts';
import { linearNode } from '../graph/ops/linear.ts';
import type { Tensor } from '../graph/tensor.ts';
import { memoryFolder } from '../io/memory.ts';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../kernels/common.ts';
import { cross, defineKernel } from '../kernels/kernel.ts';
import type { ModelFamily } from '../blocks/family.ts';
import type { ModelInfo } from './api.ts';
import type { EngineOptions } from './engine.ts';
import { largestError, openEngine } from './testing.ts';

const WGSL = `
override WG: u32;
struct Params { count: u32, factor: f32, offset: f32, }
@group(0) @binding(0) var<storage, read> x: array<scalar>;
@group(0) @binding(1) var<storage, read_write> y: array<scalar>;
@group(0) @binding(2) var<uniform> params: Params;
@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  if (at < params.count) {
    y[at] = scalar(params.factor * f32(x[at]) + params.offset);
  }
}`;

/** y = factor * x + offset */
const toyAffine = defineKernel({
  name: 'toy-affine',
  bindings: { x: 'read', y: 'write' },
  params: { count: 'u32', factor: 'f32', offset: 'f32' },
  variants: cross({ scalar: SCALARS, wg: [32, 64] }),
  parts: ({ scalar, wg }) => [
    scalarPrelude(scalar),
    gridPart,
    // The wide form is one that an adapter's compiler refuses.
    { name: 'toy-affine.wgsl', text: wg === 64 ? `${WGSL}\nnot WGSL` : WGSL },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg }) => `toy-affine/${scalar}/wg${wg}`,
  grid: ({ count }: { readonly count: number }, { wg }) => foldGrid(Math.ceil(count / wg)),
});

interface ToyIo {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly factor: number;
  readonly offset: number;
}

const toyNode = defineOp<ToyIo>({
  name: 'toy-affine',
  reads: ({ x }) => [x],
  writes: ({ y }) => [y],
  lower: (context, { x, y, factor, offset }) => [
    context.choose(
      toyAffine,
      toyAffine.variants.filter(({ scalar }) => scalar === context.scalar),
      'any',
      (variant) =>
        dispatch(toyAffine, variant, {
          buffers: { x, y },
          params: ({ tokens }) => ({ count: tokens * x.perToken, factor, offset }),
          size: ({ tokens }) => ({ count: tokens * x.perToken }),
        }),
    ),
  ],
  run: (context, { x, y, factor, offset }) =>
    context.put(
      y,
      context.floats(x).map((value) => factor * value + offset),
    ),
});

/** logits = W (2 * embedding + 0.5) */
const toyFamily: ModelFamily = {
  modelTypes: ['toy'],
  parse: (config) => ({
    family: 'toy',
    vocab: config.count(['vocab_size']),
    hidden: config.count(['hidden_size']),
    eps: 1e-6,
    maxContextTokens: 16,
    layers: [],
    embedding: 'table',
    embeddingMultiplier: 1,
    residualMultiplier: 1,
    norm: '',
    head: 'head',
    logitsMultiplier: 1,
    bosId: undefined,
    eosIds: [],
  }),
  build: ({ vocab, hidden }, _purpose, builder) => {
    const embedded = builder.tensor('embedded', { perToken: hidden });
    const scaled = builder.tensor('scaled', { perToken: hidden });
    const logits = builder.tensor('logits', { type: 'f32', role: 'output', perToken: vocab });
    const table = builder.matrix('table', vocab, hidden, 'table');
    builder.add(embeddingNode('ids', { ids: builder.ids, table, y: embedded, multiplier: 1 }));
    builder.add(toyNode('toy', { x: embedded, y: scaled, factor: 2, offset: 0.5 }));
    const weight = builder.matrix('head', vocab, hidden, 'head');
    builder.add(linearNode('logits', { x: scaled, weight, y: logits }));
    return builder.build({ logits });
  },
};

const [VOCAB, HIDDEN] = [6, 4];
const values = (seed: number) =>
  Array.from({ length: VOCAB * HIDDEN }, (_, i) => Math.fround(Math.sin(seed + i)));
const [TABLE, HEAD] = [values(1), values(2)];

/** Loads the toy model and compares its logits with those worked out here. */
async function checkToy(options: EngineOptions): Promise<ModelInfo> {
  const folder = memoryFolder({
    'config.json': new TextEncoder().encode(
      JSON.stringify({ model_type: 'toy', vocab_size: VOCAB, hidden_size: HIDDEN }),
    ),
    'model.safetensors': f32Safetensors({
      table: { shape: [VOCAB, HIDDEN], values: TABLE },
      head: { shape: [VOCAB, HIDDEN], values: HEAD },
    }),
  });
  const engine = await openEngine({ families: [toyFamily], ...options });
  const info = await engine.load(folder);
  const ids = [5, 0, 3];
  const want = ids.flatMap((id) =>
    Array.from({ length: VOCAB }, (_, out) => {
      let sum = 0;
      for (let c = 0; c < HIDDEN; c += 1) {
        sum += (2 * (TABLE[id * HIDDEN + c] ?? 0) + 0.5) * (HEAD[out * HIDDEN + c] ?? 0);
      }
      return sum;
    }),
  );
  expect(largestError(await engine.logits(ids), want)).toBeLessThan(1e-6);
  engine.dispose();
  return info;
}

test.each(['gpu', 'cpu', 'reference'] as const)(
  'a toy family with a toy kernel runs on %s',
  async (device) => {
    await checkToy({ device });
  },
);

test('a kernel that the adapter refuses is named in the plan, and another form does its work', async () => {
  // As hardware, where the widest form comes first: the one that does not compile.
  const { plan } = await checkToy({ adapterClass: 'hardware' });
  expect(plan.refusedKernels).toHaveLength(1);
  expect(plan.refusedKernels[0]).toMatchObject({
    kernel: 'toy-affine/f32/wg64',
    reason: expect.stringMatching(/^toy-affine\/f32\/wg64: toy-affine\.wgsl:18/),
  });
});
