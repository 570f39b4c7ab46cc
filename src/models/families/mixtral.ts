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
  softmaxRouter,
} from './common.ts';
import { mixtralMoe } from './mixtral-experts.ts';
import { readWindows } from './windows.ts';

/** Mixtral: renormalised softmax router; a sliding window applies to all layers (arXiv:2401.04088). */
export const mixtral: ConfigFamily = {
  modelTypes: ['mixtral'],
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
