import type { ConfigReader, ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import {
  attention,
  decoder,
  denseMlp,
  gatedMlp,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
  type LinearRouter,
} from './common.ts';
import { sparseMlp } from './sparse-mlp.ts';
import { refuseWindow } from './windows.ts';

const ERNIE4_5_MOE_DEFAULTS: ConfigValues = {
  rope_theta: 500_000,
  vocab_size: 103_424,
  hidden_size: 2560,
  intermediate_size: 12_288,
  num_hidden_layers: 28,
  num_attention_heads: 20,
  num_key_value_heads: 4,
  hidden_act: 'silu',
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  use_bias: false,
  moe_intermediate_size: 1536,
  moe_k: 6,
  moe_num_experts: 64,
  moe_num_shared_experts: 2,
  moe_layer_start_index: 1,
  moe_layer_end_index: -1,
  moe_layer_interval: 1,
  moe_norm_min: 1e-12,
};

/**
 * ERNIE 4.5: rotation of neighbouring pairs; a softmax router with a bias for the selection only; shared experts, which are
 * one MLP (transformers' Ernie4_5_Moe).
 */
export const ernie45Moe: BuiltInFamily = {
  modelTypes: ['ernie4_5_moe'],
  defaults: new Map([['ernie4_5_moe', ERNIE4_5_MOE_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file, { style: 'pair' });
    const { hidden, layerCount } = shell;
    refuseWindow(config, layerCount);
    const activation = readActivation(config);
    const bias = config.boolean(['use_bias']);
    const counts = readExpertCounts(config);
    const width = readWidth(config, 'moe_intermediate_size');
    const [sharedCount = 0] = config.integers(['moe_num_shared_experts']);
    const epsilon = config.positive(['moe_norm_min']);
    const isSparse = readSparseLayers(config, layerCount);
    const { experts, topK } = counts;
    const routerOf = (at: string): LinearRouter => ({
      score: { kind: 'linear', weight: `${at}gate.weight` },
      transform: [{ kind: 'softmax' }],
      select: {
        kind: 'topK',
        k: topK,
        bias: { tensor: `${at}moe_statics.e_score_correction_bias`, shape: [1, experts] },
      },
      weigh: { normalise: 'clamped-sum', epsilon },
    });
    return decoder(
      'ernie4_5_moe',
      config,
      shell,
      layers(shell, (layer, prefix) => {
        const mixer = attention(prefix, shell, { qkvBias: bias, outBias: bias });
        const at = `${prefix}mlp.`;
        if (!isSparse(layer)) {
          const denseWidth = readWidth(config, 'intermediate_size');
          return layerOf(prefix, mixer, denseMlp(at, hidden, denseWidth, activation, bias));
        }
        return layerOf(prefix, mixer, {
          ...sparseMlp(prefix, shell, { ...counts, width, activation, renormalise: true }),
          router: routerOf(at),
          ...(sharedCount > 0
            ? { shared: gatedMlp(`${at}shared_experts.`, hidden, sharedCount * width, activation, bias) }
            : {}),
        });
      }),
    );
  },
};

/** Every `interval`-th layer from start to end; end -1: the last layer. */
function readSparseLayers(config: ConfigReader, layerCount: number): (layer: number) => boolean {
  const [start = 0] = config.integers(['moe_layer_start_index']);
  const [end = -1] = config.integers(['moe_layer_end_index']);
  const interval = config.count(['moe_layer_interval']);
  const last = end === -1 ? layerCount - 1 : end;
  return (layer) => (layer + 1) % interval === 0 && layer >= start && layer <= last;
}
