import type { ConfigReader, ConfigValues } from '../config.ts';
import { USUAL_DEFAULTS } from '../class-defaults.ts';
import type { BuiltInFamily } from '../family.ts';
import {
  attention,
  decoder,
  layerOf,
  layers,
  readActivation,
  readShell,
  type AttentionChoices,
} from './common.ts';
import { deepseekMlps } from './deepseek-mlp.ts';
import { readWindows, refuseWindow } from './windows.ts';

const SOLAR_OPEN_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  rope_theta: 1_000_000,
  vocab_size: 196_608,
  hidden_size: 4096,
  num_hidden_layers: 48,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-5,
  moe_intermediate_size: 1280,
  num_experts_per_tok: 8,
  n_shared_experts: 1,
  n_routed_experts: 128,
  routed_scaling_factor: 1,
  n_group: 1,
  topk_group: 1,
  norm_topk_prob: true,
  head_dim: 128,
};

/** Solar Open: plain attention; experts as in DeepSeek-V3 in every layer (Upstage 2025). */
export const solarOpen: BuiltInFamily = {
  modelTypes: ['solar_open'],
  defaults: new Map([['solar_open', SOLAR_OPEN_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    refuseWindow(config, shell.layerCount);
    const qkvBias = config.boolean(['attention_bias']);
    const mlpOf = deepseekMlps(config, shell, readActivation(config));
    return decoder(
      'solar_open',
      config,
      shell,
      layers(shell, (layer, prefix) =>
        layerOf(prefix, attention(prefix, shell, { qkvBias }), mlpOf(layer, prefix)),
      ),
    );
  },
};

const HY_V3_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  rope_theta: 11_158_840,
  vocab_size: 120_832,
  hidden_size: 4096,
  intermediate_size: 13_312,
  num_hidden_layers: 80,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  head_dim: 128,
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-5,
  mlp_bias: false,
  num_experts: 192,
  num_experts_per_tok: 8,
  num_shared_experts: 1,
  moe_intermediate_size: 1536,
  router_scaling_factor: 2.826,
};

/** Hunyuan 3: q and k normalised per head; experts as in DeepSeek-V3, under other names (transformers' HYV3). */
export const hyV3: BuiltInFamily = {
  modelTypes: ['hy_v3'],
  defaults: new Map([['hy_v3', HY_V3_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    refuseWindow(config, shell.layerCount);
    const bias = config.boolean(['attention_bias']);
    if (!config.boolean(['norm_topk_prob'], true))
      config.unsupported('norm_topk_prob', 'renormalised weights');
    const names = { gate: 'router.gate.weight', bias: 'expert_bias', shared: 'shared_mlp.' };
    const mlpOf = deepseekMlps(config, shell, readActivation(config), { names, denseLayers: 1 });
    const choices = { norm: 'head', qkvBias: bias, outBias: bias } as const;
    return decoder(
      'hy_v3',
      config,
      shell,
      layers(shell, (layer, prefix) =>
        layerOf(prefix, attention(prefix, shell, choices), mlpOf(layer, prefix)),
      ),
    );
  },
};

const EXAONE_MOE_DEFAULTS: ConfigValues = {
  vocab_size: 102_400,
  hidden_size: 4096,
  intermediate_size: 16_384,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  hidden_act: 'silu',
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
  sliding_window: 4096,
  sliding_window_pattern: 4,
  first_k_dense_replace: 1,
  moe_intermediate_size: 1024,
  num_experts: 64,
  num_experts_per_tok: 8,
  num_shared_experts: 1,
  norm_topk_prob: true,
  routed_scaling_factor: 2.5,
  n_group: 1,
  topk_group: 1,
  rope_theta: 10_000,
};

/** EXAONE MoE: windows with rotary positions, and every fourth layer full attention without; experts as in DeepSeek-V3. */
export const exaoneMoe: BuiltInFamily = {
  modelTypes: ['exaone_moe'],
  defaults: new Map([['exaone_moe', EXAONE_MOE_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    const attentionOf = readHybridAttention(config, shell.layerCount);
    const names = { bias: 'e_score_correction_bias' };
    const mlpOf = deepseekMlps(config, shell, readActivation(config), { names });
    return decoder(
      'exaone_moe',
      config,
      shell,
      layers(shell, (layer, prefix) =>
        layerOf(prefix, attention(prefix, shell, attentionOf(layer)), mlpOf(layer, prefix)),
      ),
    );
  },
};

/** Layers with a window are rotated; the others are not, unless the model has no windows. */
function readHybridAttention(config: ConfigReader, layerCount: number): (layer: number) => AttentionChoices {
  const isOn = !config.isNull('sliding_window');
  const pattern = config.words('layer_types') ? 1 : config.count(['sliding_window_pattern']);
  const windows = readWindows(config, layerCount, {
    isOn,
    slides: (layer) => (layer + 1) % pattern !== 0,
    followsTypes: true,
  });
  return (layer) => {
    const window = windows[layer] ?? 0;
    return { norm: 'head', window, isRotated: !isOn || window > 0 };
  };
}
