import type { ModelFamily } from '../family.ts';
import { attention, decoder, layers, norms, readActivation, readShell } from './common.ts';

/**
 * Granite MoE: multipliers on embedding, attention, residual and logits; experts fused as [E, 2I, H], gate rows
 * first; softmax over the selected logits (spec/model-families.md 3.2).
 */
export const graniteMoe: ModelFamily = {
  modelTypes: ['granitemoe'],
  parse: (config) => {
    const shell = readShell(config);
    const activation = readActivation(config);
    const bias = config.boolean(['attention_bias'], false);
    const scale = config.number(['attention_multiplier'], shell.headDim ** -0.5);
    const experts = config.count(['num_local_experts']);
    const topK = config.count(['num_experts_per_tok']);
    const width = config.count(['intermediate_size']);
    return decoder(
      'granitemoe',
      config,
      shell,
      layers(shell, (_, prefix) => {
        const input = `${prefix}block_sparse_moe.input_linear.weight`;
        const output = `${prefix}block_sparse_moe.output_linear.weight`;
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
              weight: `${prefix}block_sparse_moe.router.layer.weight`,
              rule: { score: 'identity', renorm: 'softmax', eps: 0, scale: 1, groups: null },
            },
            expert: (e) => ({
              gate: { tensor: input, rowStart: 2 * width * e, rowCount: width },
              up: { tensor: input, rowStart: 2 * width * e + width, rowCount: width },
              down: { tensor: output, rowStart: shell.hidden * e, rowCount: shell.hidden },
            }),
          },
        };
      }),
      {
        embeddingMultiplier: config.number(['embedding_multiplier'], 1),
        residualMultiplier: config.number(['residual_multiplier'], 1),
        logitsMultiplier: 1 / config.number(['logits_scaling'], 1),
      },
    );
  },
};
