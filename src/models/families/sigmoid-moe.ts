import type { ConfigReader } from '../config.ts';
import type { ConfigFamily } from '../family.ts';
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

/** Solar Open: plain attention; experts as in DeepSeek-V3 in every layer (Upstage 2025). */
export const solarOpen: ConfigFamily = {
  modelTypes: ['solar_open'],
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

/** Hunyuan 3: q and k normalised per head; experts as in DeepSeek-V3, under other names (transformers' HYV3). */
export const hyV3: ConfigFamily = {
  modelTypes: ['hy_v3'],
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

/** EXAONE MoE: windows with rotary positions, and every fourth layer full attention without; experts as in DeepSeek-V3. */
export const exaoneMoe: ConfigFamily = {
  modelTypes: ['exaone_moe'],
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
