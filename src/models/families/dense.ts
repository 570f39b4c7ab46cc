import type { ConfigReader, ConfigValues } from '../config.ts';
import { USUAL_DEFAULTS } from '../class-defaults.ts';
import type { BuiltInFamily } from '../family.ts';
import type { FileTensors } from '../file-tensors.ts';
import type { ModelSpec } from '../spec.ts';
import {
  attention,
  decoder,
  denseMlp,
  layerOf,
  layers,
  readActivation,
  readShell,
  readWidth,
  type AttentionChoices,
  type Shell,
} from './common.ts';
import { readWindows, refuseWindow } from './windows.ts';

const LLAMA_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  vocab_size: 32_000,
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  max_position_embeddings: 2048,
  mlp_bias: false,
};

/** Llama: full attention without norms; all biases are optional (arXiv:2302.13971). */
export const llama: BuiltInFamily = {
  modelTypes: ['llama'],
  defaults: new Map([['llama', LLAMA_DEFAULTS]]),
  parse: (config, file) =>
    denseDecoder(config, file, (shell) => {
      refuseWindow(config, shell.layerCount);
      const bias = config.boolean(['attention_bias']);
      return { mlpBias: config.boolean(['mlp_bias']), attention: { qkvBias: bias, outBias: bias } };
    }),
};

const MISTRAL_DEFAULTS: ConfigValues = {
  vocab_size: 32_000,
  hidden_size: 4096,
  intermediate_size: 14_336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  hidden_act: 'silu',
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  rope_theta: 10_000,
  sliding_window: 4096,
};

/** Mistral: as Llama without biases; a window in all layers (arXiv:2310.06825). */
export const mistral: BuiltInFamily = {
  modelTypes: ['mistral'],
  defaults: new Map([['mistral', MISTRAL_DEFAULTS]]),
  parse: (config, file) =>
    denseDecoder(config, file, (shell) => ({
      attention: {},
      windows: readWindows(config, shell.layerCount, { isOn: !config.isNull('sliding_window') }),
    })),
};

const QWEN2_DEFAULTS: ConfigValues = {
  vocab_size: 151_936,
  hidden_size: 4096,
  intermediate_size: 22_016,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  hidden_act: 'silu',
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  use_sliding_window: false,
  sliding_window: 4096,
  max_window_layers: 28,
  rope_theta: 10_000,
};

/** Qwen2: biases of q, k, v (arXiv:2407.10671). */
export const qwen2: BuiltInFamily = {
  modelTypes: ['qwen2'],
  defaults: new Map([['qwen2', QWEN2_DEFAULTS]]),
  parse: (config, file) =>
    denseDecoder(config, file, (shell) => ({
      attention: { qkvBias: true },
      windows: readQwenWindows(config, shell.layerCount),
    })),
};

const QWEN3_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  vocab_size: 151_936,
  hidden_size: 4096,
  intermediate_size: 22_016,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  head_dim: 128,
  max_position_embeddings: 32_768,
  use_sliding_window: false,
  sliding_window: 4096,
  max_window_layers: 28,
};

/** Qwen3: norms of each head of q and k (arXiv:2505.09388). */
export const qwen3: BuiltInFamily = {
  modelTypes: ['qwen3'],
  defaults: new Map([['qwen3', QWEN3_DEFAULTS]]),
  parse: (config, file) =>
    denseDecoder(config, file, (shell) => {
      const bias = config.boolean(['attention_bias']);
      return {
        attention: { norm: 'head', qkvBias: bias, outBias: bias },
        windows: readQwenWindows(config, shell.layerCount),
      };
    }),
};

/** The options of a family of dense models. */
interface DenseChoices {
  readonly attention: AttentionChoices;
  readonly mlpBias?: boolean;
  readonly windows?: readonly number[]; // by layer
}

/** A decoder whose layers all are attention and a dense gated MLP. */
function denseDecoder(
  config: ConfigReader,
  file: FileTensors | undefined,
  choose: (shell: Shell) => DenseChoices,
): ModelSpec {
  const shell = readShell(config, file);
  const { attention: choices, mlpBias, windows } = choose(shell);
  const activation = readActivation(config);
  const width = readWidth(config, 'intermediate_size');
  return decoder(
    config.text(['model_type']),
    config,
    shell,
    layers(shell, (layer, prefix) =>
      layerOf(
        prefix,
        attention(prefix, shell, { ...choices, window: windows?.[layer] ?? 0 }),
        denseMlp(`${prefix}mlp.`, shell.hidden, width, activation, mlpBias),
      ),
    ),
  );
}

/** The window is in the layers from max_window_layers on, or as in layer_types. */
function readQwenWindows(config: ConfigReader, layerCount: number): number[] {
  const firstSliding = config.integers(['max_window_layers'])[0] ?? layerCount;
  return readWindows(config, layerCount, {
    isOn: config.boolean(['use_sliding_window']),
    slides: (layer) => layer >= firstSliding,
    followsTypes: true,
  });
}
