import type { ConfigReader } from '../config.ts';
import type { ConfigFamily } from '../family.ts';
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

/** Llama: full attention without norms; all biases are optional (arXiv:2302.13971). */
export const llama: ConfigFamily = {
  modelTypes: ['llama'],
  parse: (config, file) =>
    denseDecoder(config, file, (shell) => {
      refuseWindow(config, shell.layerCount);
      const bias = config.boolean(['attention_bias']);
      return { mlpBias: config.boolean(['mlp_bias']), attention: { qkvBias: bias, outBias: bias } };
    }),
};

/** Mistral: as Llama without biases; a window in all layers (arXiv:2310.06825). */
export const mistral: ConfigFamily = {
  modelTypes: ['mistral'],
  parse: (config, file) =>
    denseDecoder(config, file, (shell) => ({
      attention: {},
      windows: readWindows(config, shell.layerCount, { isOn: !config.isNull('sliding_window') }),
    })),
};

/** Qwen2: biases of q, k, v (arXiv:2407.10671). */
export const qwen2: ConfigFamily = {
  modelTypes: ['qwen2'],
  parse: (config, file) =>
    denseDecoder(config, file, (shell) => ({
      attention: { qkvBias: true },
      windows: readQwenWindows(config, shell.layerCount),
    })),
};

/** Qwen3: norms of each head of q and k (arXiv:2505.09388). */
export const qwen3: ConfigFamily = {
  modelTypes: ['qwen3'],
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
