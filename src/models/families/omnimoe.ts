import type { ModelFamily } from '../family.ts';
import {
  attention,
  decoder,
  gatedMlp,
  layers,
  norms,
  readActivation,
  readShell,
  readWidth,
} from './common.ts';
import { refuseWindow } from './windows.ts';

/** A grid of 4096 x 4096: sixteen times the largest that was ever trained. */
const MOST_EXPERTS = 2 ** 24;

const EMBED_ROLES = {
  up_is_input: { input: 'up_embed', output: 'down_embed' },
  down_is_input: { input: 'down_embed', output: 'up_embed' }, // files from before February 2026, and Doge's order
} as const;

/**
 * OmniMoE: a Cartesian product router over one-neuron experts, beside a shared SwiGLU (spec/omnimoe.md). Nothing in
 * a file tells which table holds the input vectors, so `embed_roles` has to.
 */
export const omnimoe: ModelFamily = {
  modelTypes: ['omnimoe'],
  parse: (config, file) => {
    const shell = readShell(config, file);
    refuseWindow(config, shell.layerCount);
    const activation = readActivation(config);
    const experts = config.count(['num_experts'], undefined, MOST_EXPERTS);
    const grid = Math.floor(Math.sqrt(experts));
    if (grid * grid !== experts) {
      config.unsupported(
        `num_experts ${experts}`,
        `a square number such as ${grid * grid}: the others are out of reach`,
      );
    }
    const topK = config.count(['num_experts_per_token', 'num_experts_per_tok'], undefined, MOST_EXPERTS);
    const width = readWidth(config, 'intermediate_size');
    const normKind = config.choice(['router_norm'], ['batch_norm', 'none']);
    const eps = config.positive(['router_norm_eps']);
    const roles = EMBED_ROLES[config.choice(['embed_roles'], ['up_is_input', 'down_is_input'])];
    const qkNorm = config.choice(['qk_norm'], ['none', 'head', 'vector']);
    const renormalise = config.boolean(['norm_topk_prob']);
    return decoder(
      'omnimoe',
      config,
      shell,
      layers(shell, (_, prefix) => {
        const mlp = `${prefix}mlp.`;
        const statistics = (name: string) =>
          [`${mlp}router_norm_x.${name}`, `${mlp}router_norm_y.${name}`] as const;
        return {
          ...norms(prefix),
          attention: attention(prefix, shell, { norm: qkNorm }),
          mlp: {
            kind: 'atomic',
            experts,
            grid,
            topK,
            activation,
            router: {
              rows: `${mlp}router_gate_x.weight`,
              cols: `${mlp}router_gate_y.weight`,
              ...(normKind === 'batch_norm'
                ? { norm: { eps, mean: statistics('running_mean'), variance: statistics('running_var') } }
                : {}),
              renormalise,
            },
            input: `${mlp}${roles.input}.weight`,
            output: `${mlp}${roles.output}.weight`,
            shared: gatedMlp(mlp, shell.hidden, width, activation),
          },
        };
      }),
    );
  },
};
