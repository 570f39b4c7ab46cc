import type { ConfigFamily } from '../family.ts';
import {
  attention,
  decoder,
  gatedMlp,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
} from './common.ts';
import { qwenMlps, sparseMlp } from './sparse-mlp.ts';
import { readWindows } from './windows.ts';

/** Qwen1.5-MoE and Qwen2-MoE: q, k, v biases; a shared expert with a sigmoid gate (arXiv:2407.10671). */
export const qwen2Moe: ConfigFamily = {
  modelTypes: ['qwen2_moe'],
  parse: (config, file) => {
    const shell = readShell(config, file);
    const activation = readActivation(config);
    const slidingLayers = config.integers(['max_window_layers'])[0] ?? 0;
    const windows = readWindows(config, shell.layerCount, {
      isOn: config.boolean(['use_sliding_window']),
      slides: (layer) => layer % 2 === 0 && layer < slidingLayers,
      followsTypes: true,
    });
    const sharedWidth = readWidth(config, 'shared_expert_intermediate_size');
    const mlp = {
      ...readExpertCounts(config),
      width: readWidth(config, 'moe_intermediate_size'),
      activation,
      renormalise: config.boolean(['norm_topk_prob']),
    };
    const qkvBias = config.boolean(['qkv_bias']);
    const mlpOf = qwenMlps(config, shell, activation);
    return decoder(
      'qwen2_moe',
      config,
      shell,
      layers(shell, (layer, prefix) =>
        layerOf(
          prefix,
          attention(prefix, shell, { qkvBias, window: windows[layer] ?? 0 }),
          mlpOf(layer, prefix, () => ({
            ...sparseMlp(prefix, shell, mlp),
            shared: {
              ...gatedMlp(`${prefix}mlp.shared_expert.`, shell.hidden, sharedWidth, activation),
              gate: `${prefix}mlp.shared_expert_gate.weight`,
            },
          })),
        ),
      ),
    );
  },
};
