/** A model whose layers differ in how many experts they have, of which kind and size, and how many a token takes. */
import type { ModelFamily } from '../blocks/family.ts';
import { f32Safetensors } from '../containers/safetensors.testing.ts';
import { memoryFolder } from '../io/memory.ts';
import type { FolderSource } from '../io/source.ts';
import type {
  AttentionSpec,
  BlockSpec,
  GatedExpertSpec,
  MoeSpec,
  NeuronExpertSpec,
  ProductScoreSpec,
  RouterSpec,
} from '../models/spec.ts';
import { uniform } from './talk/random.ts';

export const UNEVEN_VOCAB = 48;
const [HIDDEN, HEADS, HEAD_DIM] = [64, 4, 16];
const QUERIES = HEADS * HEAD_DIM;

/** Shapes of all tensors, by name: filled as the spec names them. */
const shapes = new Map<string, readonly number[]>([
  ['embedding', [UNEVEN_VOCAB, HIDDEN]],
  ['norm', [HIDDEN]],
]);

function named(name: string, ...shape: readonly number[]): string {
  shapes.set(name, shape);
  return name;
}

function attention(at: string): AttentionSpec {
  const weight = (name: string, rows: number, cols: number) => ({
    weight: [{ tensor: named(`${at} ${name}`, rows, cols) }],
  });
  return {
    kind: 'attention',
    heads: HEADS,
    kvHeads: HEADS,
    headDim: HEAD_DIM,
    scale: HEAD_DIM ** -0.5,
    window: 0,
    rope: { theta: 1e4, rotaryDim: HEAD_DIM, style: 'half' },
    norm: { kind: 'none' },
    qkv: weight('qkv', 3 * QUERIES, HIDDEN),
    out: weight('out', HIDDEN, QUERIES),
  };
}

function gated(at: string, experts: number, k: number, width: number): MoeSpec<RouterSpec, GatedExpertSpec> {
  const across = [experts, width, HIDDEN];
  const back = [experts, HIDDEN, width];
  return {
    kind: 'moe',
    experts,
    router: {
      score: { kind: 'linear', weight: named(`${at} router`, experts, HIDDEN) } as RouterSpec['score'],
      transform: [{ kind: 'softmax' }],
      select: { kind: 'topK', k },
      weigh: { normalise: 'sum' },
    },
    expert: {
      kind: 'gated',
      width,
      activation: 'silu',
      gate: { tensor: named(`${at} gate`, ...across), shape: across },
      up: { tensor: named(`${at} up`, ...across), shape: across },
      down: { tensor: named(`${at} down`, ...back), shape: back },
    },
  };
}

function neurons(
  at: string,
  grid: number,
  k: number,
): MoeSpec<RouterSpec<ProductScoreSpec>, NeuronExpertSpec> {
  const shape = [grid * grid, HIDDEN];
  return {
    kind: 'moe',
    experts: grid * grid,
    router: {
      score: {
        kind: 'product',
        rows: named(`${at} rows`, grid, HIDDEN),
        columns: named(`${at} columns`, grid, HIDDEN),
      },
      select: { kind: 'topK', k },
      weigh: { from: 'exp', normalise: 'sum' },
    },
    expert: {
      kind: 'neuron',
      activation: 'silu',
      input: { tensor: named(`${at} input`, ...shape), shape },
      output: { tensor: named(`${at} output`, ...shape), shape },
    },
  };
}

/** 4 experts of width 32, two a token; 2 pages of 128 neurons, six a token; 12 experts of width 96, five a token. */
const BLOCKS: readonly (readonly BlockSpec[])[] = [
  [attention('0'), gated('0', 4, 2, 32)],
  [attention('1'), neurons('1', 16, 6)],
  [attention('2'), gated('2', 12, 5, 96)],
];

export const unevenFamily: ModelFamily = {
  modelTypes: ['uneven'],
  parse: () => ({
    family: 'uneven',
    vocab: UNEVEN_VOCAB,
    hidden: HIDDEN,
    eps: 1e-6,
    maxContextTokens: 64,
    layers: BLOCKS.map((blocks, layer) => ({
      sublayers: blocks.map((block, at) => ({ norm: named(`${layer} norm ${at}`, HIDDEN), block })),
    })),
    embedding: 'embedding',
    embeddingMultiplier: 1,
    residualMultiplier: 1,
    norm: 'norm',
    head: 'embedding',
    logitsMultiplier: 1,
    bosId: undefined,
    eosIds: [],
  }),
};

export function unevenFolder(): FolderSource {
  // Names and shapes are known once the spec was made.
  unevenFamily.parse(undefined as never);
  const tensors = [...shapes].map(([name, shape], seed) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = spread(count, seed, shape.length === 1 ? 1 : 0.3);
    return [name, { shape: [...shape], values }] as const;
  });
  return memoryFolder({
    'config.json': new TextEncoder().encode(JSON.stringify({ model_type: 'uneven' })),
    'model.safetensors': f32Safetensors(Object.fromEntries(tensors)),
  });
}

/** Numbers of about this deviation, the same for the same seed. */
function spread(count: number, seed: number, deviation: number): number[] {
  return Array.from({ length: count }, (_, at) => (uniform(seed, at) - 0.5) * Math.sqrt(12) * deviation);
}
