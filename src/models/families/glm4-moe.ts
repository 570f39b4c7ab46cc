import type { ConfigFamily } from '../family.ts';
import { attention, decoder, layerOf, layers, readActivation, readShell } from './common.ts';
import { deepseekMlps } from './deepseek-mlp.ts';
import { refuseWindow } from './windows.ts';

/** GLM-4.5: half of each head rotated; q, k, v biases; experts as in DeepSeek-V3 (arXiv:2508.06471). */
export const glm4Moe: ConfigFamily = {
  modelTypes: ['glm4_moe'],
  parse: (config, file) => {
    const shell = readShell(config, file, { partial: true });
    refuseWindow(config, shell.layerCount);
    const norm = config.boolean(['use_qk_norm']) ? 'head' : 'none';
    const qkvBias = config.boolean(['attention_bias']);
    const mlpOf = deepseekMlps(config, shell, readActivation(config));
    return decoder(
      'glm4_moe',
      config,
      shell,
      layers(shell, (layer, prefix) =>
        layerOf(prefix, attention(prefix, shell, { norm, qkvBias }), mlpOf(layer, prefix)),
      ),
    );
  },
};
