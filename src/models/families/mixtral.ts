import type { ConfigFamily } from '../family.ts';
import { spelling } from '../file-tensors.ts';
import {
  attention,
  decoder,
  fusedExperts,
  fusedIn,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
  separateExperts,
  softmaxRouter,
  type GatedMoeSpec,
} from './common.ts';
import { readWindows } from './windows.ts';

const NAMES = { gate: 'w1', up: 'w3', down: 'w2' } as const;

/** Mixtral: renormalised softmax router; a sliding window applies to all layers (arXiv:2401.04088). */
export const mixtral: ConfigFamily = {
  modelTypes: ['mixtral'],
  parse: (config, file) => {
    const shell = readShell(config, file);
    const activation = readActivation(config);
    const windows = readWindows(config, shell.layerCount);
    const { experts, topK } = readExpertCounts(config);
    const width = readWidth(config, 'intermediate_size');
    const sizes = { experts, width, hidden: shell.hidden };
    return decoder(
      'mixtral',
      config,
      shell,
      layers(shell, (layer, prefix) => {
        // transformers 5 names the block `mlp`.
        const gates = [`${prefix}block_sparse_moe.gate.weight`, `${prefix}mlp.gate.weight`] as const;
        const router = spelling(file, gates);
        const block = router.slice(0, -'gate.weight'.length);
        const fused = fusedIn(file, `${block}experts.`);
        const matrices = fused
          ? fusedExperts(sizes, fused)
          : separateExperts(sizes, (matrix) => `${block}experts.{expert}.${NAMES[matrix]}.weight`);
        const moe: GatedMoeSpec = {
          kind: 'moe',
          experts,
          router: softmaxRouter(router, topK, true),
          expert: { kind: 'gated', width, activation, ...matrices },
        };
        return layerOf(prefix, attention(prefix, shell, { window: windows[layer] ?? 0 }), moe);
      }),
    );
  },
};
