import type { ConfigFamily } from '../family.ts';
import { spelling } from '../file-tensors.ts';
import {
  attention,
  decoder,
  fusedExperts,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
  separateExperts,
  type GatedMoeSpec,
} from './common.ts';
import { refuseWindow } from './windows.ts';

/**
 * Granite MoE: multipliers on embedding, attention, residual and logits; experts fused as [experts, 2 * width, hidden],
 * gate rows first; softmax over the selected logits (transformers' GraniteMoe).
 */
export const graniteMoe: ConfigFamily = {
  modelTypes: ['granitemoe'],
  parse: (config, file) => {
    const shell = readShell(config, file);
    const { hidden } = shell;
    refuseWindow(config, shell.layerCount);
    const activation = readActivation(config);
    const bias = config.boolean(['attention_bias']);
    const scale = config.positive(['attention_multiplier']);
    const { experts, topK } = readExpertCounts(config);
    const width = readWidth(config, 'intermediate_size');
    return decoder(
      'granitemoe',
      config,
      shell,
      layers(shell, (_, prefix) => {
        const block = `${prefix}block_sparse_moe.`;
        const router = spelling(file, [`${block}router.layer.weight`, `${block}router.weight`]);
        const names = {
          gateUp: spelling(file, [`${block}input_linear.weight`, `${block}experts.gate_up_proj`]),
          down: spelling(file, [`${block}output_linear.weight`, `${block}experts.down_proj`]),
        };
        // Files of other programs have them one by one.
        const single = (matrix: string) => `${block}experts.{expert}.${matrix}_proj.weight`;
        const isSingle = file?.has(single('gate').replace('{expert}', '0')) ?? false;
        const sizes = { experts, width, hidden };
        const moe: GatedMoeSpec = {
          kind: 'moe',
          experts,
          router: {
            score: { kind: 'linear', weight: router },
            select: { kind: 'topK', k: topK },
            weigh: { normalise: 'softmax' },
          },
          expert: {
            kind: 'gated',
            width,
            activation,
            ...(isSingle ? separateExperts(sizes, single) : fusedExperts(sizes, names)),
          },
        };
        const mixer = attention(prefix, shell, { scale, qkvBias: bias, outBias: bias });
        return layerOf(prefix, mixer, moe);
      }),
      {
        embeddingMultiplier: config.number(['embedding_multiplier']),
        residualMultiplier: config.number(['residual_multiplier']),
        logitsMultiplier: 1 / config.positive(['logits_scaling']),
      },
    );
  },
};
