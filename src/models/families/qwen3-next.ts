import type { TensorRows } from '../../weights/tensor-rows.ts';
import type { ConfigReader, ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import type { AttentionSpec, DeltaNetSpec, LayerSpec } from '../spec.ts';
import {
  attention,
  decoder,
  gatedMlp,
  layerOf,
  layers,
  linear,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
  type Shell,
} from './common.ts';
import { readRecurrentLayers } from './mamba.ts';
import { qwenMlps, sparseMlp, type SparseMlp } from './sparse-mlp.ts';

/** What both classes have. */
const DELTA_NET_DEFAULTS: ConfigValues = {
  hidden_size: 2048,
  num_attention_heads: 16,
  num_key_value_heads: 2,
  hidden_act: 'silu',
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  rope_theta: 10_000,
  partial_rotary_factor: 0.25,
  attention_bias: false,
  head_dim: 256,
  linear_conv_kernel_dim: 4,
  linear_key_head_dim: 128,
  linear_value_head_dim: 128,
  linear_num_key_heads: 16,
  linear_num_value_heads: 32,
  moe_intermediate_size: 512,
  shared_expert_intermediate_size: 512,
};

const QWEN3_NEXT_DEFAULTS: ConfigValues = {
  ...DELTA_NET_DEFAULTS,
  vocab_size: 151_936,
  intermediate_size: 5632,
  num_hidden_layers: 48,
  decoder_sparse_step: 1,
  num_experts_per_tok: 10,
  num_experts: 512,
  norm_topk_prob: true,
};

/**
 * Qwen3-Next: gated delta nets and some gated attention; gains of norms as differences from 1; a shared expert with a sigmoid
 * gate (Qwen 2025).
 */
export const qwen3Next: BuiltInFamily = {
  modelTypes: ['qwen3_next'],
  defaults: new Map([['qwen3_next', QWEN3_NEXT_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file, { partial: true });
    const { activation, sharedMlpOf } = readMlp(config, shell, config.boolean(['norm_topk_prob']));
    const mlpOf = qwenMlps(config, shell, activation);
    const sizes = readDeltaSizes(config);
    const mixerOf = (prefix: string) => groupedDeltaNet(`${prefix}linear_attn.`, shell, sizes);
    return parseLayers(config, shell, 'qwen3_next', (layer, prefix, isRecurrent) =>
      layerOf(
        prefix,
        isRecurrent ? mixerOf(prefix) : gatedAttention(prefix, shell),
        mlpOf(layer, prefix, () => sharedMlpOf(prefix)),
      ),
    );
  },
};

const QWEN3_5_MOE_TEXT_DEFAULTS: ConfigValues = {
  ...DELTA_NET_DEFAULTS,
  vocab_size: 248_320,
  num_hidden_layers: 40,
  num_experts_per_tok: 8,
  num_experts: 256,
};

/** The text model of Qwen3.5: as Qwen3-Next, with projections of its delta nets that are not grouped by key heads. */
export const qwen35Moe: BuiltInFamily = {
  modelTypes: ['qwen3_5_moe_text'],
  defaults: new Map([['qwen3_5_moe_text', QWEN3_5_MOE_TEXT_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file, { partial: true });
    const { sharedMlpOf } = readMlp(config, shell, true);
    // The class has neither of these keys.
    if (!config.boolean(['norm_topk_prob'], true))
      config.unsupported('norm_topk_prob', 'renormalised weights');
    if (config.integers(['mlp_only_layers']).length > 0) config.unsupported('mlp_only_layers', 'experts');
    const sizes = readDeltaSizes(config);
    const mixerOf = (prefix: string) => plainDeltaNet(`${prefix}linear_attn.`, shell.hidden, sizes);
    return parseLayers(config, shell, 'qwen3_5_moe', (_, prefix, isRecurrent) =>
      layerOf(prefix, isRecurrent ? mixerOf(prefix) : gatedAttention(prefix, shell), sharedMlpOf(prefix)),
    );
  },
};

function parseLayers(
  config: ConfigReader,
  shell: Shell,
  family: string,
  make: (layer: number, prefix: string, isRecurrent: boolean) => LayerSpec,
) {
  if (config.boolean(['attention_bias'])) config.unsupported('attention_bias', 'attention without biases');
  const [interval = 4] = config.integers(['full_attention_interval']);
  const isRecurrent = readRecurrentLayers(config, shell.layerCount, (layer) => (layer + 1) % interval !== 0);
  const made = layers(shell, (layer, prefix) => make(layer, prefix, isRecurrent[layer] === true));
  // GGUF files have 1 added to gains.
  return decoder(family, config, shell, made, { gainOffset: config.number(['gain_offset'], 1) });
}

/** Reads the experts of all layers, with a shared expert. */
function readMlp(config: ConfigReader, shell: Shell, renormalise: boolean) {
  const activation = readActivation(config);
  if (activation !== 'silu') config.unsupported(`activation "${activation}"`, 'silu'); // also of convolutions
  const width = readWidth(config, 'moe_intermediate_size');
  const mlp: SparseMlp = { ...readExpertCounts(config), width, activation, renormalise };
  const sharedWidth = readWidth(config, 'shared_expert_intermediate_size');
  const sharedMlpOf = (prefix: string) => ({
    ...sparseMlp(prefix, shell, mlp),
    shared: {
      ...gatedMlp(`${prefix}mlp.shared_expert.`, shell.hidden, sharedWidth, activation),
      gate: `${prefix}mlp.shared_expert_gate.weight`,
    },
  });
  return { activation, sharedMlpOf };
}

/** Attention whose query projection has a gate behind each head. */
function gatedAttention(prefix: string, shell: Shell): AttentionSpec {
  const { heads, headDim, hidden } = shell;
  const spec = attention(prefix, shell, { norm: 'head' });
  const [query, ...others] = spec.qkv.weight;
  const tensor = query?.tensor ?? '';
  const half = (at: number) =>
    Array.from({ length: heads }, (_, head) => ({
      ...{ tensor, shape: [2 * heads * headDim, hidden] },
      ...{ rowStart: (2 * head + at) * headDim, rowCount: headDim },
    }));
  return { ...spec, qkv: { weight: [...half(0), ...others] }, gate: { weight: half(1) } };
}

/** Sizes of the delta nets of a model. */
type DeltaSizes = Pick<DeltaNetSpec, 'keyHeads' | 'keyDim' | 'heads' | 'dims' | 'tiled' | 'taps'>;

function readDeltaSizes(config: ConfigReader): DeltaSizes {
  // Only GGUF files have the key of an order.
  const order = config.choice(['linear_value_head_order'], ['grouped', 'tiled'], 'grouped');
  return {
    keyHeads: config.count(['linear_num_key_heads'], undefined, 4096),
    keyDim: config.count(['linear_key_head_dim'], undefined, 4096),
    heads: config.count(['linear_num_value_heads'], undefined, 4096),
    dims: config.count(['linear_value_head_dim'], undefined, 4096),
    taps: config.count(['linear_conv_kernel_dim'], undefined, 64),
    ...(order === 'tiled' ? { tiled: true } : {}),
  };
}

function deltaNet(
  at: string,
  hidden: number,
  sizes: DeltaSizes,
  weight: readonly TensorRows[],
): DeltaNetSpec {
  return {
    kind: 'deltaNet',
    ...sizes,
    input: { weight },
    convolution: `${at}conv1d.weight`,
    rates: { decay: `${at}A_log`, bias: `${at}dt_bias` },
    norm: `${at}norm.weight`,
    out: linear(sizes.heads * sizes.dims, [`${at}out_proj.weight`, hidden]),
  };
}

function plainDeltaNet(at: string, hidden: number, sizes: DeltaSizes): DeltaNetSpec {
  const { keyHeads, keyDim, heads, dims } = sizes;
  const { weight } = linear(
    hidden,
    [`${at}in_proj_qkv.weight`, 2 * keyHeads * keyDim + heads * dims],
    [`${at}in_proj_z.weight`, heads * dims],
    [`${at}in_proj_b.weight`, heads],
    [`${at}in_proj_a.weight`, heads],
  );
  return deltaNet(at, hidden, sizes, weight);
}

/**
 * Rows grouped by key heads: q, k, v, z of each, and in a second tensor b, a; they are taken apart. GGUF files have q, k, v and z
 * as `plainDeltaNet`.
 */
function groupedDeltaNet(at: string, { hidden, file }: Shell, sizes: DeltaSizes): DeltaNetSpec {
  const { keyHeads, keyDim, heads, dims } = sizes;
  const values = Math.floor(heads / keyHeads); // checked with the block: a whole number
  const taken = (tensor: string, counts: readonly number[]) => {
    const each = counts.reduce((sum, count) => sum + count, 0);
    return counts.flatMap((rowCount, index) => {
      const before = counts.slice(0, index).reduce((sum, count) => sum + count, 0);
      return Array.from({ length: keyHeads }, (_, head) => ({
        ...{ tensor, shape: [keyHeads * each, hidden] },
        ...{ rowStart: head * each + before, rowCount },
      }));
    });
  };
  const width = values * dims;
  const qkv = `${at}in_proj_qkv.weight`;
  const inward = file?.has(qkv)
    ? linear(hidden, [qkv, 2 * keyHeads * keyDim + heads * dims], [`${at}in_proj_z.weight`, heads * dims])
        .weight
    : taken(`${at}in_proj_qkvz.weight`, [keyDim, keyDim, width, width]);
  return deltaNet(at, hidden, sizes, [...inward, ...taken(`${at}in_proj_ba.weight`, [values, values])]);
}
