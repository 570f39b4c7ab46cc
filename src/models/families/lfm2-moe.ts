import type { Activation } from '../../kernels/core/activation.ts';
import type { ConfigReader, ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import type { BlockSpec, DenseSpec, ShortConvSpec } from '../spec.ts';
import {
  attention,
  decoder,
  layers,
  linear,
  readExpertCounts,
  readShell,
  readWidth,
  separateExperts,
  type GatedMoeSpec,
  type Shell,
} from './common.ts';
import { readSigmoidRule, sigmoidRouter, type SigmoidRule } from './deepseek-mlp.ts';

const LFM2_MOE_DEFAULTS: ConfigValues = {
  rope_theta: 1_000_000,
  tie_word_embeddings: true,
  vocab_size: 65_536,
  hidden_size: 2048,
  intermediate_size: 7168,
  moe_intermediate_size: 1792,
  num_hidden_layers: 32,
  max_position_embeddings: 128_000,
  norm_eps: 1e-5,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  conv_bias: false,
  conv_L_cache: 3,
  num_dense_layers: 2,
  num_experts_per_tok: 4,
  num_experts: 32,
  use_expert_bias: true,
  routed_scaling_factor: 1,
  norm_topk_prob: true,
};

/** LFM2-MoE: short convolutions and some attention; experts behind a router by sigmoid (Liquid AI 2025). */
export const lfm2Moe: BuiltInFamily = {
  modelTypes: ['lfm2_moe'],
  defaults: new Map([['lfm2_moe', LFM2_MOE_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    const taps = config.count(['conv_L_cache']);
    if (config.boolean(['conv_bias'])) config.unsupported('conv_bias', 'convolutions without biases');
    const isAttention = readAttentionLayers(config, shell.layerCount);
    const [firstSparse = 0] = config.integers(['num_dense_layers']);
    const { experts, topK } = readExpertCounts(config);
    const rule = { ...readSigmoidRule(config, experts, topK), epsilon: 1e-6 };
    const hasBias = config.boolean(['use_expert_bias']);
    const width = readWidth(config, 'moe_intermediate_size');
    return decoder(
      'lfm2_moe',
      config,
      shell,
      layers(shell, (layer, prefix) => {
        const mlp = `${prefix}feed_forward.`;
        const sizes = { experts, width, hidden: shell.hidden };
        return {
          sublayers: [
            {
              norm: `${prefix}operator_norm.weight`,
              block: isAttention[layer]
                ? attention(prefix, shell, {
                    norm: 'head',
                    normNames: ['q_layernorm', 'k_layernorm'],
                    outName: 'out_proj',
                  })
                : convolution(`${prefix}conv.`, shell, taps),
            },
            {
              norm: `${prefix}ffn_norm.weight`,
              block:
                layer < firstSparse
                  ? denseMlp(mlp, shell, readWidth(config, 'intermediate_size'))
                  : sparseMlp(mlp, sizes, rule, hasBias),
            },
          ],
        };
      }),
      { norm: 'embedding_norm.weight' },
    );
  },
};

const ACTIVATION: Activation = 'silu'; // of the class, without a key

/** Layers with attention: `layer_types`, or the indices in `full_attn_idxs`. */
function readAttentionLayers(config: ConfigReader, layerCount: number): boolean[] {
  const indices = config.integers(['full_attn_idxs']);
  const types =
    config.words('layer_types') ??
    Array.from({ length: layerCount }, (_, layer) => (indices.includes(layer) ? 'full_attention' : 'conv'));
  if (types.length !== layerCount) {
    throw config.contradiction(
      { key: 'num_hidden_layers', value: layerCount },
      { key: 'the length of layer_types', value: types.length },
    );
  }
  const other = types.find((type) => type !== 'conv' && type !== 'full_attention');
  if (other !== undefined) config.unsupported(`layer type "${other}"`, 'conv and full_attention');
  return types.map((type) => type === 'full_attention');
}

function convolution(at: string, { hidden }: Shell, taps: number): ShortConvSpec {
  return {
    kind: 'shortConv',
    taps,
    cols: hidden,
    input: linear(hidden, [`${at}in_proj.weight`, 3 * hidden]),
    weight: `${at}conv.weight`,
    out: linear(hidden, [`${at}out_proj.weight`, hidden]),
  };
}

const NAMES = { gate: 'w1', up: 'w3', down: 'w2' } as const;

function denseMlp(at: string, { hidden }: Shell, width: number): DenseSpec {
  return {
    kind: 'dense',
    width,
    activation: ACTIVATION,
    gateUp: linear(hidden, [`${at}w1.weight`, width], [`${at}w3.weight`, width]),
    down: linear(width, [`${at}w2.weight`, hidden]),
  };
}

function sparseMlp(
  at: string,
  sizes: { readonly experts: number; readonly width: number; readonly hidden: number },
  rule: SigmoidRule,
  hasBias: boolean,
): BlockSpec & GatedMoeSpec {
  const { experts, width } = sizes;
  return {
    kind: 'moe',
    experts,
    router: sigmoidRouter(`${at}gate.weight`, hasBias ? `${at}expert_bias` : undefined, rule),
    expert: {
      kind: 'gated',
      width,
      activation: ACTIVATION,
      ...separateExperts(sizes, (matrix) => `${at}experts.{expert}.${NAMES[matrix]}.weight`),
    },
  };
}
