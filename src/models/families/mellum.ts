import type { ConfigReader, ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import type { BlockSpec, RopeSpec } from '../spec.ts';
import {
  attention,
  decoder,
  denseMlp,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
  type Shell,
} from './common.ts';
import { readDenseLayers } from './deepseek-mlp.ts';
import { readRope, type RopeRule } from './rope.ts';
import { sparseMlp } from './sparse-mlp.ts';
import { readWindows } from './windows.ts';

/** Without `rope_theta`: bases of positions are in `rope_parameters` only. */
const MELLUM_DEFAULTS: ConfigValues = {
  vocab_size: 98_304,
  hidden_size: 2304,
  intermediate_size: 7168,
  num_hidden_layers: 28,
  num_attention_heads: 32,
  num_key_value_heads: 4,
  head_dim: 128,
  hidden_act: 'silu',
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  attention_bias: false,
  sliding_window: 1024,
  moe_intermediate_size: 896,
  num_experts_per_tok: 8,
  num_experts: 64,
  norm_topk_prob: true,
};

/** Mellum 2: as Qwen3-MoE, with a window in the layers that `layer_types` lists, and rotary positions for each type of layers (JetBrains 2026). */
export const mellum: BuiltInFamily = {
  modelTypes: ['mellum'],
  defaults: new Map([['mellum', MELLUM_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file, ropeRule(config, 'full_attention'));
    const windows = readWindows(config, shell.layerCount, {
      slides: () => false,
      followsTypes: true,
      isOn: true,
    });
    const ropeOf = readRopes(config, shell, windows);
    const bias = config.boolean(['attention_bias']);
    const mlpOf = readMlps(config, shell);
    return decoder(
      'mellum',
      config,
      shell,
      layers(shell, (layer, prefix) => {
        const window = windows[layer] ?? 0;
        const choices = { norm: 'head', qkvBias: bias, outBias: bias, window } as const;
        return layerOf(
          prefix,
          attention(prefix, { ...shell, rope: ropeOf(window) }, choices),
          mlpOf(layer, prefix),
        );
      }),
    );
  },
};

type LayerType = 'full_attention' | 'sliding_attention';

/** The bases of the class, for configs that say nothing of positions. */
const THETAS: Readonly<Record<LayerType, number>> = { full_attention: 500_000, sliding_attention: 10_000 };

function ropeRule(config: ConfigReader, layerType: LayerType): RopeRule {
  const fallback = config.has('rope_parameters') ? {} : { fallback: { rope_theta: THETAS[layerType] } };
  return { layerType, partial: true, ...fallback };
}

/** Positions by the window of a layer; 0: all keys. */
function readRopes(
  config: ConfigReader,
  { rope, headDim }: Shell,
  windows: readonly number[],
): (window: number) => RopeSpec {
  if (windows.every((window) => window === 0)) return () => rope;
  const sliding = readRope(config, headDim, ropeRule(config, 'sliding_attention'));
  return (window) => (window === 0 ? rope : sliding);
}

/** Experts, or a dense MLP in the layers that `mlp_layer_types` lists. */
function readMlps(config: ConfigReader, shell: Shell): (layer: number, prefix: string) => BlockSpec {
  const activation = readActivation(config);
  const isDense = readDenseLayers(config, shell.layerCount, 0);
  const mlp = {
    ...readExpertCounts(config),
    width: readWidth(config, 'moe_intermediate_size'),
    activation,
    renormalise: config.boolean(['norm_topk_prob']),
  };
  return (layer, prefix) =>
    isDense(layer)
      ? denseMlp(`${prefix}mlp.`, shell.hidden, readWidth(config, 'intermediate_size'), activation)
      : sparseMlp(prefix, shell, mlp);
}
