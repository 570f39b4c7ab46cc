import type { ConfigReader } from '../config.ts';
import type { ConfigFamily } from '../family.ts';
import type { AttentionSpec, LayerSpec } from '../spec.ts';
import { attention, decoder, layers, linear, readActivation, readShell, type Shell } from './common.ts';
import { deepseekMlps } from './deepseek-mlp.ts';
import { readWindows } from './windows.ts';

/**
 * AFMoE (Trinity): norms before and behind blocks, a gate of what attention returns, windows with rotary positions and every
 * fourth layer full attention without; experts as in DeepSeek-V3 (Arcee 2025).
 */
export const afmoe: ConfigFamily = {
  modelTypes: ['afmoe'],
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
