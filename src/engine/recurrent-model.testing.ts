/** A model from outside whose mixer keeps a summary of all tokens so far: a state that cannot be cut back. */
import type { Mixer } from '../blocks/block.ts';
import type { ModelFamily } from '../blocks/family.ts';
import { f32Safetensors } from '../containers/safetensors.testing.ts';
import { dispatch } from '../graph/node.ts';
import { defineOp } from '../graph/op.ts';
import { nextOf, type Tensor } from '../graph/tensor.ts';
import { memoryFolder } from '../io/memory.ts';
import type { FolderSource } from '../io/source.ts';
import { cross, defineKernel, featuresOf, foldGrid, gridPart, scalarPrelude } from '../index.ts';
import type { BlockSpec, GatedExpertSpec, MoeSpec, RouterSpec } from '../models/spec.ts';
import { uniform } from './talk/random.ts';

export const RECURRENT_VOCAB = 32;
const [VOCAB, HIDDEN, EXPERTS, TOP_K, WIDTH, LAYERS, CONTEXT] = [RECURRENT_VOCAB, 32, 8, 2, 16, 3, 640];
const DECAY = 0.9375;
const WG = 32;

const recurrenceKernel = defineKernel({
  name: 'toy-recurrence',
  bindings: { x: 'read', before: 'read', after: 'write', y: 'write' },
  params: { tokens: 'u32', cols: 'u32' },
  variants: cross({ scalar: ['f32', 'f16'] }),
  parts: ({ scalar }) => [
    scalarPrelude(scalar),
    gridPart,
    {
      name: 'toy-recurrence.wgsl',
      text: `
struct Params { tokens: u32, cols: u32, }
@group(0) @binding(0) var<storage, read> x: array<scalar>;
@group(0) @binding(1) var<storage, read> before: array<f32>;
@group(0) @binding(2) var<storage, read_write> after: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;
@compute @workgroup_size(${WG})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let col = linear_group(group, groups) * ${WG} + lane;
  if (col < params.cols) {
    var h = before[col];
    for (var token = 0u; token < params.tokens; token++) {
      h = ${DECAY} * h + f32(x[token * params.cols + col]);
      y[token * params.cols + col] = h;
    }
    after[col] = h;
  }
}`,
    },
  ],
  overrides: () => ({}),
  features: featuresOf,
  key: ({ scalar }) => `toy-recurrence/${scalar}`,
  grid: ({ cols }: { readonly cols: number }) => foldGrid(Math.ceil(cols / WG)),
});

const recurrenceNode = defineOp<{ readonly x: Tensor; readonly h: Tensor; readonly y: Tensor }>({
  name: 'toy-recurrence',
  reads: ({ x, h }) => [x, h],
  writes: ({ h, y }) => [nextOf(h), y],
  lower: (context, { x, h, y }) => [
    context.choose(
      recurrenceKernel,
      recurrenceKernel.variants.filter(({ scalar }) => scalar === context.scalar),
      'any',
      (variant) =>
        dispatch(recurrenceKernel, variant, {
          buffers: { x, before: h, after: nextOf(h), y },
          params: ({ tokens }) => ({ tokens, cols: x.perToken }),
          size: () => ({ cols: x.perToken }),
        }),
    ),
  ],
  run(context, { x, h, y }) {
    const [inputs, cols] = [context.floats(x), x.perToken];
    const state = Float32Array.from(context.floats(h));
    const outputs = inputs.map((value, at) => {
      const col = at % cols;
      state[col] = DECAY * (state[col] ?? NaN) + value; // rounded at every token, as on the GPU
      return state[col] ?? NaN;
    });
    context.put(y, outputs);
    context.put(nextOf(h), state);
  },
});

/** h = DECAY * h + x for each element; h is all that it keeps. */
const recurrence: Mixer = {
  kind: 'recurrence',
  state: () => [{ name: 'h', rewind: 'parity', size: HIDDEN, type: 'f32' }],
  add(site, x, _spec, { h }) {
    if (!h) throw new Error('a recurrence keeps h');
    const y = site.stream(`${site.label} recurrence`);
    site.builder.add(recurrenceNode(`${site.label} recurrence`, { x, h, y }));
    return y;
  },
};

const shapes = new Map<string, readonly number[]>();

function named(name: string, ...shape: readonly number[]): string {
  shapes.set(name, shape);
  return name;
}

function moe(at: string): MoeSpec<RouterSpec, GatedExpertSpec> {
  const [across, back] = [
    [EXPERTS, WIDTH, HIDDEN],
    [EXPERTS, HIDDEN, WIDTH],
  ];
  return {
    kind: 'moe',
    experts: EXPERTS,
    router: {
      score: { kind: 'linear', weight: named(`${at} router`, EXPERTS, HIDDEN) } as RouterSpec['score'],
      transform: [{ kind: 'softmax' }],
      select: { kind: 'topK', k: TOP_K },
      weigh: { normalise: 'sum' },
    },
    expert: {
      kind: 'gated',
      width: WIDTH,
      activation: 'silu',
      gate: { tensor: named(`${at} gate`, ...across), shape: across },
      up: { tensor: named(`${at} up`, ...across), shape: across },
      down: { tensor: named(`${at} down`, ...back), shape: back },
    },
  };
}

export const recurrentFamily: ModelFamily = {
  modelTypes: ['recurrent'],
  blocks: { mixers: [recurrence] },
  parse: () => ({
    family: 'recurrent',
    vocab: VOCAB,
    hidden: HIDDEN,
    eps: 1e-6,
    maxContextTokens: CONTEXT,
    layers: Array.from({ length: LAYERS }, (_, at) => ({
      sublayers: [{ kind: 'recurrence' }, moe(`${at}`)].map((block: BlockSpec) => ({
        norm: named(`${at} ${block.kind} norm`, HIDDEN),
        block,
      })),
    })),
    embedding: named('embedding', VOCAB, HIDDEN),
    embeddingMultiplier: 1,
    residualMultiplier: 1,
    norm: named('norm', HIDDEN),
    head: named('head', VOCAB, HIDDEN),
    logitsMultiplier: 1,
    bosId: undefined,
    eosIds: [],
  }),
};

/** A token for each letter; `Ġ` is the space. */
const LETTERS = Array.from('Ġabcdefghijklmnopqrstuvwxyz.,!?-');
const TOKENIZER = {
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: { type: 'BPE', vocab: Object.fromEntries(LETTERS.map((letter, id) => [letter, id])), merges: [] },
};

export function recurrentFolder(): FolderSource {
  recurrentFamily.parse(undefined as never); // names all tensors
  const tensors = [...shapes].map(([name, shape], seed) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const size = shape.length === 1 ? 1 : 0.7;
    const values = Array.from({ length: count }, (_, at) =>
      Math.fround(size * (2 * uniform(seed + 1, at) - 1)),
    );
    return [name, { shape: [...shape], values }] as const;
  });
  return memoryFolder({
    'config.json': new TextEncoder().encode(JSON.stringify({ model_type: 'recurrent' })),
    'tokenizer.json': new TextEncoder().encode(JSON.stringify(TOKENIZER)),
    'model.safetensors': f32Safetensors(Object.fromEntries(tensors)),
  });
}
