import type { ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import {
  attention,
  decoder,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
  softmaxRouter,
} from './common.ts';
import { mixtralMoe } from './mixtral-experts.ts';
import { readWindows } from './windows.ts';

const MIXTRAL_DEFAULTS: ConfigValues = {
  vocab_size: 32_000,
  hidden_size: 4096,
  intermediate_size: 14_336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  hidden_act: 'silu',
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
  rope_theta: 1_000_000,
  num_experts_per_tok: 2,
  num_local_experts: 8,
};

/** Mixtral: renormalised softmax router; a sliding window applies to all layers (arXiv:2401.04088). */
export const mixtral: BuiltInFamily = {
  modelTypes: ['mixtral'],
  defaults: new Map([['mixtral', MIXTRAL_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    const activation = readActivation(config);
    const windows = readWindows(config, shell.layerCount);
    const { experts, topK } = readExpertCounts(config);
    const sizes = { experts, activation, width: readWidth(config, 'intermediate_size') };
    return decoder(
      'mixtral',
      config,
      shell,
      layers(shell, (layer, prefix) =>
        layerOf(
          prefix,
          attention(prefix, shell, { window: windows[layer] ?? 0 }),
          mixtralMoe(prefix, shell, sizes, (at) => softmaxRouter(`${at}gate.weight`, topK, true)),
        ),
      ),
    );
  },
};
