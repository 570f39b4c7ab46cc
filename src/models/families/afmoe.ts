import type { ConfigReader, ConfigValues } from '../config.ts';
import { USUAL_DEFAULTS } from '../class-defaults.ts';
import type { BuiltInFamily } from '../family.ts';
import type { AttentionSpec, LayerSpec } from '../spec.ts';
import { attention, decoder, layers, linear, readActivation, readShell, type Shell } from './common.ts';
import { deepseekMlps } from './deepseek-mlp.ts';
import { readWindows } from './windows.ts';

const AFMOE_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  vocab_size: 200_192,
  hidden_size: 2048,
  intermediate_size: 6144,
  moe_intermediate_size: 1408,
  num_hidden_layers: 32,
  num_dense_layers: 1,
  num_attention_heads: 16,
  head_dim: 128,
  max_position_embeddings: 16_384,
  rms_norm_eps: 1e-5,
  num_experts: 64,
  num_experts_per_tok: 6,
  num_shared_experts: 2,
  route_scale: 1,
  global_attn_every_n_layers: 4,
  sliding_window: 1024,
  mup_enabled: false,
};

/**
 * AFMoE (Trinity): norms before and behind blocks, a gate of what attention returns, windows with rotary positions and every
 * fourth layer full attention without; experts as in DeepSeek-V3 (Arcee 2025).
 */
export const afmoe: BuiltInFamily = {
  modelTypes: ['afmoe'],
  defaults: new Map([['afmoe', AFMOE_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    refuseOthers(config);
    const mixer = readAttention(config, shell);
    const [denseLayers = 0] = config.integers(['num_dense_layers']);
    const names = { gate: 'router.gate.weight', bias: 'expert_bias' };
    const mlp = deepseekMlps(config, shell, readActivation(config), { names, denseLayers });
    const isScaled = config.boolean(['mup_enabled']);
    const specs = layers(shell, (layer, prefix): LayerSpec => {
      const gain = (name: string) => `${prefix}${name}_layernorm.weight`;
      return {
        sublayers: [
          { norm: gain('input'), block: mixer(layer, prefix), post: { gain: gain('post_attention') } },
          { norm: gain('pre_mlp'), block: mlp(layer, prefix), post: { gain: gain('post_mlp') } },
        ],
      };
    });
    return decoder('afmoe', config, shell, specs, {
      embeddingMultiplier: isScaled ? Math.sqrt(shell.hidden) : 1,
    });
  },
};

/** Options of published configs that the class does not have. */
function refuseOthers(config: ConfigReader): void {
  config.choice(['score_func'], ['sigmoid'], 'sigmoid');
  if (!config.boolean(['route_norm'], true)) config.unsupported('route_norm false', 'renormalised weights');
  for (const key of ['n_group', 'topk_group', 'num_expert_groups', 'num_limited_groups']) {
    const count = config.count([key], 1);
    if (count !== 1) config.unsupported(`${key} ${count}`, 'experts in one group');
  }
}

function readAttention(config: ConfigReader, shell: Shell): (layer: number, prefix: string) => AttentionSpec {
  const { hidden, heads, headDim } = shell;
  const pattern = config.words('layer_types') ? 1 : config.count(['global_attn_every_n_layers']);
  if (config.isNull('sliding_window')) config.unsupported('sliding_window null', 'a window');
  const windows = readWindows(config, shell.layerCount, {
    isOn: true,
    slides: (layer) => (layer + 1) % pattern !== 0,
    followsTypes: true,
  });
  const bias = config.boolean(['attention_bias']);
  return (layer, prefix) => {
    const window = windows[layer] ?? 0;
    const choices = { norm: 'head', window, isRotated: window > 0, qkvBias: bias, outBias: bias } as const;
    return {
      ...attention(prefix, shell, choices),
      gate: linear(hidden, [`${prefix}self_attn.gate_proj.weight`, heads * headDim]),
    };
  };
}
