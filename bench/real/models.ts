/** Shapes of published models and the types that their usual GGUF files have, by tensor. */
import type { GgufValue } from '../gguf-file.ts';
import { byteVocabulary } from '../gguf-file.ts';

/** Types of tensors: those of Atomoe's formats, and f32. */
export type TensorType = 'f32' | 'q4_0' | 'q4_k' | 'q6_k' | 'mxfp4';

/** A tensor to be generated. */
export interface RealTensor {
  readonly name: string;
  readonly dims: readonly number[]; // the fastest first
  readonly type: TensorType;
  readonly values: 'ones' | 'zeros' | 'random'; // of f32; others are random
}

/** A file to be generated. */
export interface RealModel {
  readonly name: string;
  readonly budgetBytes: number;
  readonly layers: number;
  readonly experts: number; // of a layer
  readonly metadata: Readonly<Record<string, GgufValue>>;
  readonly tensors: readonly RealTensor[];
}

interface Shape {
  readonly architecture: string;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly experts: number;
  readonly topK: number;
  readonly width: number;
  readonly vocab: number;
  readonly contextTokens: number;
  readonly theta: number;
}

const vector = (name: string, size: number, values: RealTensor['values'] = 'ones'): RealTensor => ({
  name,
  dims: [size],
  type: 'f32',
  values,
});

const matrix = (name: string, cols: number, rows: number, type: TensorType): RealTensor => ({
  name: `${name}.weight`,
  dims: [cols, rows],
  type,
  values: 'random',
});

const stacked = (
  name: string,
  cols: number,
  rows: number,
  experts: number,
  type: TensorType,
): RealTensor => ({
  name: `${name}.weight`,
  dims: [cols, rows, experts],
  type,
  values: 'random',
});

/** Layers whose values and down matrices have more bits in llama.cpp's Q4_K_M: the first and last eighth, and every third. */
function hasMoreBits(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
}

function commonMetadata(shape: Shape): Record<string, GgufValue> {
  const { architecture: at } = shape;
  return {
    'general.architecture': { text: at },
    [`${at}.vocab_size`]: { u32: shape.vocab },
    [`${at}.block_count`]: { u32: shape.layers },
    [`${at}.context_length`]: { u32: shape.contextTokens },
    [`${at}.embedding_length`]: { u32: shape.hidden },
    [`${at}.feed_forward_length`]: { u32: shape.width },
    [`${at}.attention.head_count`]: { u32: shape.heads },
    [`${at}.attention.head_count_kv`]: { u32: shape.kvHeads },
    [`${at}.attention.layer_norm_rms_epsilon`]: { f32: 1e-5 },
    [`${at}.rope.freq_base`]: { f32: shape.theta },
    [`${at}.expert_count`]: { u32: shape.experts },
    [`${at}.expert_used_count`]: { u32: shape.topK },
    [`${at}.expert_feed_forward_length`]: { u32: shape.width },
    ...byteVocabulary(shape.vocab),
  };
}

function outerTensors({ hidden, vocab }: Shape, embedding: TensorType, head: TensorType): RealTensor[] {
  return [
    matrix('token_embd', hidden, vocab, embedding),
    matrix('output', hidden, vocab, head),
    vector('output_norm.weight', hidden),
  ];
}

function expertTensors(at: string, shape: Shape, type: TensorType, downType: TensorType): RealTensor[] {
  const { hidden, width, experts } = shape;
  return [
    { ...matrix(`${at}.ffn_gate_inp`, hidden, experts, 'f32') },
    stacked(`${at}.ffn_gate_exps`, hidden, width, experts, type),
    stacked(`${at}.ffn_up_exps`, hidden, width, experts, type),
    stacked(`${at}.ffn_down_exps`, width, hidden, experts, downType),
  ];
}

const layersOf = (shape: Shape, one: (at: string, layer: number) => readonly RealTensor[]): RealTensor[] =>
  Array.from({ length: shape.layers }, (_, layer) => one(`blk.${layer}`, layer)).flat();

type Contents = Pick<RealModel, 'metadata' | 'tensors'>;

/** OLMoE in the mix of types of Q4_K_M. */
const q4KM = (shape: Shape): Contents => qkNormed(shape, (layer) => hasMoreBits(layer, shape.layers));

/** Qwen3-MoE in Q4_K throughout. */
const q4K = (shape: Shape): Contents => qkNormed(shape, () => false);

/** OLMoE, whose norms of queries and keys span the heads, and Qwen3-MoE. */
function qkNormed(shape: Shape, hasMore: (layer: number) => boolean): Contents {
  const { architecture, hidden, heads, kvHeads, headDim } = shape;
  const normWidth = architecture === 'olmoe' ? [heads * headDim, kvHeads * headDim] : [headDim, headDim];
  return {
    metadata: {
      ...commonMetadata(shape),
      [`${architecture}.attention.key_length`]: { u32: headDim },
      [`${architecture}.attention.value_length`]: { u32: headDim },
    },
    tensors: [
      ...outerTensors(shape, 'q4_k', hasMore(0) ? 'q6_k' : 'q4_k'),
      ...layersOf(shape, (at, layer) => {
        const more = hasMore(layer) ? 'q6_k' : 'q4_k';
        return [
          vector(`${at}.attn_norm.weight`, hidden),
          matrix(`${at}.attn_q`, hidden, heads * headDim, 'q4_k'),
          matrix(`${at}.attn_k`, hidden, kvHeads * headDim, 'q4_k'),
          matrix(`${at}.attn_v`, hidden, kvHeads * headDim, more),
          matrix(`${at}.attn_output`, heads * headDim, hidden, 'q4_k'),
          vector(`${at}.attn_q_norm.weight`, normWidth[0] ?? 0),
          vector(`${at}.attn_k_norm.weight`, normWidth[1] ?? 0),
          vector(`${at}.ffn_norm.weight`, hidden),
          ...expertTensors(at, shape, 'q4_k', more),
        ];
      }),
    ],
  };
}

/** gpt-oss: experts in MXFP4, the rest in Q4_0 (rows of 2880 are no whole K-blocks), biases everywhere. */
function gptOss(shape: Shape): Contents {
  const { architecture: own, hidden, heads, kvHeads, headDim, experts, width } = shape;
  const bias = (name: string, ...dims: number[]): RealTensor => ({
    name: `${name}.bias`,
    dims,
    type: 'f32',
    values: 'zeros',
  });
  return {
    metadata: {
      ...commonMetadata(shape),
      [`${own}.attention.key_length`]: { u32: headDim },
      [`${own}.attention.value_length`]: { u32: headDim },
      [`${own}.attention.sliding_window`]: { u32: 128 },
      [`${own}.rope.scaling.type`]: { text: 'yarn' },
      [`${own}.rope.scaling.factor`]: { f32: 32 },
      [`${own}.rope.scaling.original_context_length`]: { u32: 4096 },
    },
    tensors: [
      ...outerTensors(shape, 'q4_0', 'q4_0'),
      ...layersOf(shape, (at) => [
        vector(`${at}.attn_norm.weight`, hidden),
        matrix(`${at}.attn_q`, hidden, heads * headDim, 'q4_0'),
        matrix(`${at}.attn_k`, hidden, kvHeads * headDim, 'q4_0'),
        matrix(`${at}.attn_v`, hidden, kvHeads * headDim, 'q4_0'),
        matrix(`${at}.attn_output`, heads * headDim, hidden, 'q4_0'),
        bias(`${at}.attn_q`, heads * headDim),
        bias(`${at}.attn_k`, kvHeads * headDim),
        bias(`${at}.attn_v`, kvHeads * headDim),
        bias(`${at}.attn_output`, hidden),
        vector(`${at}.attn_sinks.weight`, heads, 'zeros'),
        vector(`${at}.post_attention_norm.weight`, hidden),
        ...expertTensors(at, shape, 'mxfp4', 'mxfp4'),
        bias(`${at}.ffn_gate_inp`, experts),
        bias(`${at}.ffn_gate_exps`, width, experts),
        bias(`${at}.ffn_up_exps`, width, experts),
        bias(`${at}.ffn_down_exps`, hidden, experts),
      ]),
    ],
  };
}

/** DeepSeek-V2-Lite: latent attention, a dense first layer, two shared experts. Rows that are no whole K-blocks are in Q5_0. */
function deepseekLite(shape: Shape): Contents {
  const { architecture: own, hidden, heads, width } = shape;
  const [rank, nope, rope, valueDim, denseWidth, shared] = [512, 128, 64, 128, 10944, 2];
  return {
    metadata: {
      ...commonMetadata(shape),
      [`${own}.feed_forward_length`]: { u32: denseWidth },
      [`${own}.leading_dense_block_count`]: { u32: 1 },
      [`${own}.expert_shared_count`]: { u32: shared },
      [`${own}.expert_weights_scale`]: { f32: 1 },
      [`${own}.attention.kv_lora_rank`]: { u32: rank },
      [`${own}.attention.key_length`]: { u32: rank + rope },
      [`${own}.attention.value_length`]: { u32: rank },
      [`${own}.attention.key_length_mla`]: { u32: nope + rope },
      [`${own}.attention.value_length_mla`]: { u32: valueDim },
      [`${own}.rope.dimension_count`]: { u32: rope },
      [`${own}.rope.scaling.type`]: { text: 'yarn' },
      [`${own}.rope.scaling.factor`]: { f32: 40 },
      [`${own}.rope.scaling.original_context_length`]: { u32: 4096 },
      [`${own}.rope.scaling.yarn_log_multiplier`]: { f32: 0.0707 },
    },
    tensors: [
      ...outerTensors(shape, 'q4_k', 'q4_k'),
      ...layersOf(shape, (at, layer) => [
        vector(`${at}.attn_norm.weight`, hidden),
        matrix(`${at}.attn_q`, hidden, heads * (nope + rope), 'q4_k'),
        matrix(`${at}.attn_kv_a_mqa`, hidden, rank + rope, 'q4_k'),
        vector(`${at}.attn_kv_a_norm.weight`, rank),
        stacked(`${at}.attn_k_b`, nope, rank, heads, 'q4_0'),
        stacked(`${at}.attn_v_b`, rank, valueDim, heads, 'q4_k'),
        matrix(`${at}.attn_output`, heads * valueDim, hidden, 'q4_k'),
        vector(`${at}.ffn_norm.weight`, hidden),
        ...(layer === 0
          ? [
              matrix(`${at}.ffn_gate`, hidden, denseWidth, 'q4_k'),
              matrix(`${at}.ffn_up`, hidden, denseWidth, 'q4_k'),
              matrix(`${at}.ffn_down`, denseWidth, hidden, 'q4_0'),
            ]
          : [
              ...expertTensors(at, shape, 'q4_k', 'q4_0'),
              matrix(`${at}.ffn_gate_shexp`, hidden, shared * width, 'q4_k'),
              matrix(`${at}.ffn_up_shexp`, hidden, shared * width, 'q4_k'),
              matrix(`${at}.ffn_down_shexp`, shared * width, hidden, 'q4_k'),
            ]),
      ]),
    ],
  };
}

const OLMOE: Shape = {
  architecture: 'olmoe',
  hidden: 2048,
  layers: 16,
  heads: 16,
  kvHeads: 16,
  headDim: 128,
  experts: 64,
  topK: 8,
  width: 1024,
  vocab: 50304,
  contextTokens: 4096,
  theta: 1e4,
};

const GPT_OSS: Shape = {
  architecture: 'gpt-oss',
  hidden: 2880,
  layers: 24,
  heads: 64,
  kvHeads: 8,
  headDim: 64,
  experts: 32,
  topK: 4,
  width: 2880,
  vocab: 201088,
  contextTokens: 131072,
  theta: 1.5e5,
};

const QWEN3: Shape = {
  architecture: 'qwen3moe',
  hidden: 2048,
  layers: 48,
  heads: 32,
  kvHeads: 4,
  headDim: 128,
  experts: 128,
  topK: 8,
  width: 768,
  vocab: 151936,
  contextTokens: 40960,
  theta: 1e6,
};

const DEEPSEEK: Shape = {
  architecture: 'deepseek2',
  hidden: 2048,
  layers: 27,
  heads: 16,
  kvHeads: 1,
  headDim: 192,
  experts: 64,
  topK: 6,
  width: 1408,
  vocab: 102400,
  contextTokens: 163840,
  theta: 1e4,
};

/** The models of the bench, whole. */
export function realModels(): RealModel[] {
  const made = (name: string, shape: Shape, budgetBytes: number, build: typeof q4KM): RealModel => ({
    name,
    budgetBytes,
    layers: shape.layers,
    experts: shape.experts,
    ...build(shape),
  });
  return [
    made('OLMoE-1B-7B, Q4_K_M', OLMOE, 1.3e9, q4KM),
    made('DeepSeek-V2-Lite, Q4_K', DEEPSEEK, 2e9, deepseekLite),
    made('Qwen3-30B-A3B, Q4_K', QWEN3, 2.3e9, q4K),
    made('gpt-oss-20b, MXFP4 and Q4_0', GPT_OSS, 2.5e9, gptOss),
  ];
}
