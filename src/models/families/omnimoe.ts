import type { ConfigFamily } from '../family.ts';
import type { MoeSpec, NeuronExpertSpec, ProductScoreSpec, RouterSpec } from '../spec.ts';
import {
  attention,
  decoder,
  gatedMlp,
  layerOf,
  layers,
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
export const omnimoe: ConfigFamily = {
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
    const normEpsilon = config.positive(['router_norm_eps']);
    const epsilon = normKind === 'batch_norm' ? normEpsilon : undefined;
    const roles = EMBED_ROLES[config.choice(['embed_roles'], ['up_is_input', 'down_is_input'])];
    const qkNorm = config.choice(['qk_norm'], ['none', 'head', 'vector']);
    const renormalise = config.boolean(['norm_topk_prob']);
    return decoder(
      'omnimoe',
      config,
      shell,
      layers(shell, (_, prefix) => {
        const mlp = `${prefix}mlp.`;
        const shape = [experts, shell.hidden];
        const moe: MoeSpec<RouterSpec<ProductScoreSpec>, NeuronExpertSpec> = {
          kind: 'moe',
          experts,
          router: productRouter(mlp, { k: topK, epsilon, renormalise }),
          expert: {
            kind: 'neuron',
            activation,
            input: { tensor: `${mlp}${roles.input}.weight`, shape },
            output: { tensor: `${mlp}${roles.output}.weight`, shape },
          },
          shared: gatedMlp(mlp, shell.hidden, width, activation),
        };
        return layerOf(prefix, attention(prefix, shell, { norm: qkNorm }), moe);
      }),
    );
  },
};

/**
 * The router under `router_gate_{x,y}`.
 *
 * @param options.epsilon - of the batch norms of its logits; undefined: there are none
 */
export function productRouter(
  prefix: string,
  { k, epsilon, renormalise }: { k: number; epsilon: number | undefined; renormalise: boolean },
): RouterSpec<ProductScoreSpec> {
  const norm = (side: 'x' | 'y') =>
    epsilon === undefined
      ? undefined
      : {
          mean: `${prefix}router_norm_${side}.running_mean`,
          variance: `${prefix}router_norm_${side}.running_var`,
          epsilon,
        };
  const [rowsNorm, columnsNorm] = [norm('x'), norm('y')];
  return {
    score: {
      kind: 'product',
      rows: `${prefix}router_gate_x.weight`,
      columns: `${prefix}router_gate_y.weight`,
      ...(rowsNorm && columnsNorm ? { rowsNorm, columnsNorm } : {}),
    },
    select: { kind: 'topK', k },
    weigh: { from: 'exp', normalise: renormalise ? 'sum' : 'none' },
  };
}
