import type { ModelFamily } from '../family.ts';
import {
  attention,
  decoder,
  layers,
  norms,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
  softmaxRule,
} from './common.ts';
import { qwenMlps, sparseMlp } from './sparse-mlp.ts';
import { readWindows } from './windows.ts';

/** Qwen3-MoE: per-head q/k norm; softmax router, renormalised where the config says so (spec/model-families.md 3.4). */
export const qwen3Moe: ModelFamily = {
  modelTypes: ['qwen3_moe'],
  parse: (config, file) => {
    const shell = readShell(config, file);
    const activation = readActivation(config);
    const isOn = config.boolean(['use_sliding_window']);
    const windows = readWindows(config, shell.layerCount, { isOn });
    const bias = config.boolean(['attention_bias']);
    const rule = softmaxRule(config.boolean(['norm_topk_prob']));
    const mlp = {
      ...readExpertCounts(config),
      width: readWidth(config, 'moe_intermediate_size'),
      activation,
      rule,
    };
    const mlpOf = qwenMlps(config, shell, activation);
    return decoder(
      'qwen3_moe',
      config,
      shell,
      layers(shell, (layer, prefix) => ({
        ...norms(prefix),
        attention: attention(prefix, shell, {
          norm: 'head',
          qkvBias: bias,
          outBias: bias,
          window: windows[layer] ?? 0,
        }),
        mlp: mlpOf(layer, prefix, () => sparseMlp(prefix, shell, mlp)),
      })),
    );
  },
};
