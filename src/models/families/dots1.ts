import type { ConfigFamily } from '../family.ts';
import { attention, decoder, layerOf, layers, readActivation, readShell } from './common.ts';
import { deepseekMlps } from './deepseek-mlp.ts';
import { readWindows } from './windows.ts';

/** dots.llm1: q and k normalised per head; experts as in DeepSeek-V3 (arXiv:2506.05767). */
export const dots1: ConfigFamily = {
  modelTypes: ['dots1'],
  parse: (config, file) => {
    const shell = readShell(config, file);
    const [firstSliding = shell.layerCount] = config.integers(['max_window_layers']);
    const windows = readWindows(config, shell.layerCount, {
      slides: (layer) => layer >= firstSliding,
      followsTypes: true,
      isOn: !config.isNull('sliding_window'),
    });
    const bias = config.boolean(['attention_bias']);
    const mlpOf = deepseekMlps(config, shell, readActivation(config));
    return decoder(
      'dots1',
      config,
      shell,
      layers(shell, (layer, prefix) => {
        const choices = { norm: 'head', qkvBias: bias, outBias: bias, window: windows[layer] ?? 0 } as const;
        return layerOf(prefix, attention(prefix, shell, choices), mlpOf(layer, prefix));
      }),
    );
  },
};
