import type { ConfigValues } from '../config.ts';
import { USUAL_DEFAULTS } from '../class-defaults.ts';
import type { BuiltInFamily } from '../family.ts';
import { attention, decoder, layerOf, layers, readActivation, readShell } from './common.ts';
import { deepseekMlps } from './deepseek-mlp.ts';
import { readWindows } from './windows.ts';

const DOTS1_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  vocab_size: 152_064,
  hidden_size: 4608,
  intermediate_size: 10_944,
  moe_intermediate_size: 1408,
  num_hidden_layers: 62,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  n_group: 1,
  topk_group: 1,
  first_k_dense_replace: 0,
  norm_topk_prob: false,
  max_position_embeddings: 2048,
  routed_scaling_factor: 1,
  sliding_window: 4096,
  max_window_layers: 62,
};

/** dots.llm1: q and k normalised per head; experts as in DeepSeek-V3 (arXiv:2506.05767). */
export const dots1: BuiltInFamily = {
  modelTypes: ['dots1'],
  defaults: new Map([['dots1', DOTS1_DEFAULTS]]),
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
