import type { ConfigFamily } from '../family.ts';
import {
  attention,
  decoder,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
} from './common.ts';
import { qwenMlps, sparseMlp } from './sparse-mlp.ts';
import { readWindows } from './windows.ts';

/** Qwen3-MoE: per-head q/k norm; softmax router, renormalised according to the config (arXiv:2505.09388). */
export const qwen3Moe: ConfigFamily = {
  modelTypes: ['qwen3_moe'],
  parse: (config, file) => {
    const shell = readShell(config, file);
    const activation = readActivation(config);
    const isOn = config.boolean(['use_sliding_window']);
    const windows = readWindows(config, shell.layerCount, { isOn });
    const bias = config.boolean(['attention_bias']);
    const mlp = {
      ...readExpertCounts(config),
      width: readWidth(config, 'moe_intermediate_size'),
      activation,
      renormalise: config.boolean(['norm_topk_prob']),
    };
    const mlpOf = qwenMlps(config, shell, activation);
    return decoder(
      'qwen3_moe',
      config,
      shell,
      layers(shell, (layer, prefix) =>
        layerOf(
          prefix,
          attention(prefix, shell, {
            norm: 'head',
            qkvBias: bias,
            outBias: bias,
            window: windows[layer] ?? 0,
          }),
          mlpOf(layer, prefix, () => sparseMlp(prefix, shell, mlp)),
        ),
      ),
    );
  },
};
