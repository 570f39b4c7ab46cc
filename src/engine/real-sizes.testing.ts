/** The sizes of published models: what kernels, plans and tuning will meet. Not part of the library. */
import { recordLayout } from '../weights/record.ts';
import type { FormatName } from '../weights/formats/index.ts';
import { matrixLayout } from '../weights/matrix.ts';
import type { ExpertWeights } from '../graph/experts.ts';
import { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/node.ts';
import type { WeightFacts } from '../graph/plan.ts';
import { makeTensor } from '../graph/tensor.ts';
import { weightParts } from '../graph/weight-parts.ts';
import { buildDecoder } from '../blocks/decoder.ts';
import { loadBlocks } from '../blocks/table.ts';
import type { GraphPurpose } from '../blocks/purpose.ts';
import { namesUnder, type GatedMoeSpec } from '../models/families/common.ts';
import { productRouter } from '../models/families/omnimoe.ts';
import type {
  AttentionSpec,
  BlockSpec,
  DenseSpec,
  GatedMlpSpec,
  LayerSpec,
  LinearSpec,
  ModelSpec,
  MoeSpec,
  NeuronExpertSpec,
  RouterSpec,
} from '../models/spec.ts';

export interface RealSize {
  readonly name: string;
  readonly hidden: number;
  readonly heads: readonly [heads: number, kvHeads: number, headDim: number];
  readonly experts: number; // of atomic ones: a square
  readonly topK: number;
  readonly width: number; // of an expert; 1: an atomic one
  readonly shared: number | undefined; // width of the shared expert
  readonly dense: number | undefined; // width of layers without experts
  readonly vocab: number;
  readonly norm: 'head' | 'vector' | undefined;
  readonly groups: number | undefined; // of experts, half of which are kept
  readonly bias: boolean; // of the projections
}

/**
 * Where attention is of a kind that the graph does not have yet (latent, recurrent), ordinary heads take its place. Columns: name,
 * hidden, heads/kvHeads x headDim, experts/topK, width, shared, dense, vocab, and norm, groups and bias where there are any.
 */
const TABLE = `
OLMoE-1B-7B          2048  16/16x128  64/8         1024  -     -      50304  norm=vector
granite-3.x-1b       1024  16/8x64    32/8         512   -     -      49155
granite-3.x-3b       1536  24/8x64    40/8         512   -     -      49155
granite-4.0-h-tiny   1536  12/4x128   64/6         512   1024  -      100352
granite-4.0-h-small  4096  32/8x128   72/10        768   1536  -      100352
Qwen1.5-MoE-A2.7B    2048  16/16x128  60/4         1408  5632  -      151936 bias
Qwen3-30B-A3B        2048  32/4x128   128/8        768   -     -      151936 norm=head
Qwen3-Next-80B-A3B   2048  16/2x256   512/10       512   512   -      151936 norm=head
Qwen3.5-35B-A3B      2048  16/2x256   256/8        512   512   -      248320 norm=head
Mixtral-8x7B         4096  32/8x128   8/2          14336 -     -      32000
Phi-3.5-MoE          4096  32/8x128   16/2         6400  -     -      32064  bias
DeepSeek-V2-Lite     2048  16/1x576   64/6         1408  2816  10944  102400
Moonlight-16B-A3B    2048  16/16x192  64/6         1408  2816  11264  163840
DeepSeek-V3          7168  128/1x576  256/8        2048  2048  18432  129280 groups=8
GLM-4.7-Flash        2048  20/20x256  64/4         1536  1536  10240  154880
GLM-4.5-Air          4096  96/8x128   128/8        1408  1408  10944  151552 bias
gpt-oss-20b          2880  64/8x64    32/4         2880  -     -      201088 bias
LFM2-8B-A1B          2048  32/8x64    32/4         1792  -     7168   65536  norm=head
ERNIE-4.5-21B-A3B    2560  20/4x128   64/6         1536  3072  12288  103424
Ling-mini-2.0        2048  16/4x128   256/8        512   512   5120   157184 norm=head groups=8
SmallThinker-4B      1536  12/2x128   32/4         768   -     -      151936
SmallThinker-21B     2560  28/4x128   64/6         768   -     -      151936
dots.llm1            4096  32/32x128  128/6        1408  2816  10944  152064 norm=head
Hunyuan-A13B         4096  32/8x128   64/8         3072  3072  -      128167 norm=head
Llama-4-Scout        5120  40/8x128   16/1         8192  8192  -      202048
JetMoE-8B            2048  32/16x128  8/2          5632  -     -      32000
Doge-40M-MoE         256   2/1x128    1024/8       1     768   -      128256 norm=head
Doge-180M-MoE        512   4/2x128    4096/16      1     1536  -      128256 norm=head
Doge-1.6B-MoE        1024  8/4x128    16384/32     1     4096  -      128256 norm=head
OmniMoE-320          1024  16/4x64    102400/512   1     1024  -      32768  norm=head
OmniMoE-1024         1024  16/4x64    1048576/64   1     1024  -      32768  norm=head
`;

export const REAL_SIZES: readonly RealSize[] = TABLE.trim().split('\n').map(parse);

function parse(line: string): RealSize {
  const [name = '', hidden, heads = '', experts = '', width, shared, dense, vocab, ...rest] =
    line.split(/ +/);
  const [queries = 0, keys = 0, headDim = 0] = heads.split(/[/x]/).map(Number);
  const [count = 0, topK = 0] = experts.split('/').map(Number);
  const option = (key: string) => rest.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  return {
    name,
    hidden: Number(hidden),
    heads: [queries, keys, headDim],
    experts: count,
    topK,
    width: Number(width),
    shared: shared === '-' ? undefined : Number(shared),
    dense: dense === '-' ? undefined : Number(dense),
    vocab: Number(vocab),
    norm: option('norm') as RealSize['norm'],
    groups: option('groups') === undefined ? undefined : Number(option('groups')),
    bias: rest.includes('bias'),
  };
}

const linear = (weight: string, bias: boolean): LinearSpec => ({
  weight: [{ tensor: weight }],
  ...(bias ? { bias: [`${weight} bias`] } : {}),
});

const mlp = (name: string, width: number): GatedMlpSpec => ({
  width,
  activation: 'silu',
  gateUp: linear(`${name} gate up`, false),
  down: linear(`${name} down`, false),
});

function moe({ hidden, experts, topK, width, shared, groups }: RealSize): GatedMoeSpec {
  const across = { tensor: 'across {expert}', shape: [width, hidden] };
  return {
    kind: 'moe',
    experts,
    router: {
      score: { kind: 'linear', weight: 'router' },
      transform: [{ kind: 'softmax' }],
      select: {
        kind: 'topK',
        k: topK,
        ...(groups === undefined ? {} : { groups: { count: groups, keep: groups / 2, by: 'sumOfTopTwo' } }),
      },
      weigh: { normalise: 'sum' },
    },
    expert: {
      kind: 'gated',
      width,
      activation: 'silu',
      gate: across,
      up: across,
      down: { tensor: 'down {expert}', shape: [hidden, width] },
    },
    ...(shared === undefined ? {} : { shared: { ...mlp('shared', shared), gate: 'shared gate' } }),
  };
}

function atomic({ hidden, experts, topK, shared }: RealSize): MoeSpec<RouterSpec, NeuronExpertSpec> {
  const shape = [experts, hidden];
  return {
    kind: 'moe',
    experts,
    router: productRouter(namesUnder(''), { k: topK, epsilon: undefined, renormalise: true }),
    expert: {
      kind: 'neuron',
      activation: 'silu',
      input: { tensor: 'input', shape },
      output: { tensor: 'output', shape },
    },
    ...(shared === undefined ? {} : { shared: mlp('shared', shared) }),
  };
}

/** One layer with experts, and one without where the model has some: all layers of a kind choose alike. */
function specOf(size: RealSize): ModelSpec {
  const { hidden, vocab, bias, norm } = size;
  const [heads, kvHeads, headDim] = size.heads;
  const attention: AttentionSpec = {
    kind: 'attention',
    heads,
    kvHeads,
    headDim,
    scale: headDim ** -0.5,
    window: 0,
    rope: { theta: 1e4, rotaryDim: headDim, style: 'half' },
    norm: norm === undefined ? { kind: 'none' } : { kind: norm, q: 'q norm', k: 'k norm' },
    qkv: linear('qkv', bias),
    out: linear('out', bias),
  };
  const dense = (width: number): DenseSpec => ({ kind: 'dense', ...mlp('dense', width) });
  const layer = (block: BlockSpec): LayerSpec => ({
    sublayers: [
      { norm: 'attention norm', block: attention },
      { norm: 'mlp norm', block },
    ],
  });
  return {
    family: size.name,
    vocab,
    hidden,
    eps: 1e-6,
    maxContextTokens: 4096,
    layers: [
      ...(size.dense === undefined ? [] : [layer(dense(size.dense))]),
      layer(size.width === 1 ? atomic(size) : moe(size)),
    ],
    embedding: 'embedding',
    embeddingMultiplier: 1,
    residualMultiplier: 1,
    norm: 'norm',
    head: 'head',
    logitsMultiplier: 1,
    bosId: undefined,
    eosIds: [],
  };
}

const blocks = await loadBlocks({ layers: REAL_SIZES.flatMap((size) => specOf(size).layers) });

export function realGraph(size: RealSize, purpose: GraphPurpose): Graph {
  return buildDecoder(specOf(size), purpose, new GraphBuilder(), blocks);
}

/** Weights in one format, without any bytes. */
export function realWeights(size: RealSize, format: FormatName, maxBindingBytes: number): WeightFacts {
  return {
    weight: (weight) => {
      const kept = weight.exact ? 'f32' : format;
      const layoutOf = (rows: number) => matrixLayout(kept, rows, weight.cols);
      const parts = weightParts(weight, (rows) => layoutOf(rows).sizeBytes, maxBindingBytes);
      return {
        parts: parts.map((part) => ({
          ...part,
          format: kept,
          scalesWords: layoutOf(part.rows).scalesOffsetBytes / 4,
        })),
      };
    },
    experts: realExperts(size, format, maxBindingBytes),
  };
}

function realExperts(
  { experts, hidden, width }: RealSize,
  format: FormatName,
  maxBindingBytes: number,
): ExpertWeights {
  const pageExperts = width === 1 ? Math.sqrt(experts) : 1;
  const page: [number, number] = [pageExperts, hidden];
  const layout =
    width === 1
      ? recordLayout(format, { in: page, out: page })
      : recordLayout(format, { gate: [width, hidden], up: [width, hidden], down: [hidden, width] });
  const unitsPerLayer = experts / pageExperts;
  const sizeBytes = unitsPerLayer * layout.sizeBytes;
  const pools = sizeBytes <= maxBindingBytes ? 1 : 4;
  const state = (name: string, bytes: number) =>
    makeTensor(name, { type: 'u32', role: 'state', fixed: Math.ceil(bytes / 4) });
  const all = Array.from({ length: pools }, (_, at) => state(`pool ${at}`, sizeBytes / pools));
  const table = state('table', 4 * unitsPerLayer);
  return { unitsPerLayer, units: () => unitsPerLayer, layout: () => layout, table, pools: () => all };
}
