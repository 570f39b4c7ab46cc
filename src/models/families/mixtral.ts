import type { ModelFamily } from '../family.ts';
import {
  attention,
  decoder,
  layers,
  norms,
  readActivation,
  readShell,
  separateExperts,
  softmaxRule,
} from './common.ts';

const NAMES = { gate: 'w1', up: 'w3', down: 'w2' } as const;

/** Mixtral: softmax router, renormalised; a sliding window counts for all layers (spec/model-families.md 3.6). */
export const mixtral: ModelFamily = {
  modelTypes: ['mixtral'],
  parse: (config) => {
    const shell = readShell(config);
    const activation = readActivation(config);
    const window = config.has('sliding_window') ? config.count(['sliding_window']) : 0;
    const experts = config.count(['num_local_experts']);
    const topK = config.count(['num_experts_per_tok']);
    const width = config.count(['intermediate_size']);
    return decoder(
      'mixtral',
      config,
      shell,
      layers(shell, (_, prefix) => ({
        ...norms(prefix),
        attention: attention(prefix, shell, { window }),
        mlp: {
          kind: 'moe',
          experts,
          topK,
          width,
          activation,
          router: { weight: `${prefix}block_sparse_moe.gate.weight`, rule: softmaxRule(true) },
          expert: separateExperts(
            (e, matrix) => `${prefix}block_sparse_moe.experts.${e}.${NAMES[matrix]}.weight`,
          ),
        },
      })),
    );
  },
};
