import type { ModelFamily } from '../family.ts';
import { spelling } from '../file-tensors.ts';
import {
  attention,
  decoder,
  fusedExperts,
  layers,
  norms,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
} from './common.ts';
import { refuseWindow } from './windows.ts';

/**
 * Granite MoE: multipliers on embedding, attention, residual and logits; experts fused as [E, 2I, H], gate rows
 * first; softmax over the selected logits (spec/model-families.md 3.2).
 */
export const graniteMoe: ModelFamily = {
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
        return {
          ...norms(prefix),
          attention: attention(prefix, shell, { scale, qkvBias: bias, outBias: bias }),
          mlp: {
            kind: 'moe',
            experts,
            topK,
            width,
            activation,
            router: {
              weight: spelling(file, [`${block}router.layer.weight`, `${block}router.weight`]),
              rule: { score: 'identity', renorm: 'softmax', eps: 0, scale: 1, groups: null },
            },
            expert: fusedExperts(
              { experts, width, hidden },
              {
                gateUp: spelling(file, [`${block}input_linear.weight`, `${block}experts.gate_up_proj`]),
                down: spelling(file, [`${block}output_linear.weight`, `${block}experts.down_proj`]),
              },
            ),
          },
        };
      }),
      {
        embeddingMultiplier: config.number(['embedding_multiplier']),
        residualMultiplier: config.number(['residual_multiplier']),
        logitsMultiplier: 1 / config.positive(['logits_scaling']),
      },
    );
  },
};
