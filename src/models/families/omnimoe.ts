import type { ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import type { Activation } from '../../kernels/core/activation.ts';
import type { MoeSpec, NeuronExpertSpec, ProductScoreSpec, RouterSpec, SharedSpec } from '../spec.ts';
import {
  attention,
  decoder,
  gatedMlp,
  layerOf,
  layers,
  MAX_NEURONS,
  namesUnder,
  readActivation,
  readShell,
  readSquare,
  readWidth,
  type LayerNames,
} from './common.ts';
import { refuseWindow } from './windows.ts';

/** Values of `embed_roles`: which of the two embeddings of atomic experts contains the input vectors. */
export const EMBED_ROLES = {
  up_is_input: { input: 'up_embed', output: 'down_embed' },
  down_is_input: { input: 'down_embed', output: 'up_embed' }, // files from before February 2026, and Doge's order
} as const;

/** Transformers has no class for OmniMoE; these are the model's own, without sizes. */
const OMNIMOE_DEFAULTS: ConfigValues = {
  hidden_act: 'silu',
  max_position_embeddings: 4096,
  tie_word_embeddings: false,
  rope_theta: 10_000,
  router_norm: 'batch_norm',
  router_norm_eps: 1e-5,
  embed_roles: 'up_is_input',
  qk_norm: 'none',
  norm_topk_prob: false,
};

/**
 * OmniMoE: a Cartesian product router over one-neuron experts, beside a shared SwiGLU (arXiv:2602.05711). Files do
 * not show which table contains the input vectors, so the config needs `embed_roles`.
 */
export const omnimoe: BuiltInFamily = {
  modelTypes: ['omnimoe'],
  defaults: new Map([['omnimoe', OMNIMOE_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    refuseWindow(config, shell.layerCount);
    const activation = readActivation(config);
    const experts = readSquare(config, 'num_experts');
    const topK = config.count(['num_experts_per_token', 'num_experts_per_tok'], undefined, MAX_NEURONS);
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
        const moe = omnimoeLayer(namesUnder(mlp, file), {
          ...{ experts, tableRows: experts, hidden: shell.hidden, k: topK, activation, epsilon, renormalise },
          roles,
          shared: gatedMlp(mlp, shell.hidden, width, activation),
        });
        return layerOf(prefix, attention(prefix, shell, { norm: qkNorm }), moe);
      }),
    );
  },
};

/** Sizes of a layer, from the config. */
export interface OmnimoeSizes {
  readonly experts: number; // a square number
  readonly tableRows: number; // rows of the embeddings; those past the experts are unused
  readonly hidden: number;
  readonly k: number; // experts per token
  readonly activation: Activation;
  readonly epsilon: number | undefined; // of the batch norms of the router's logits; undefined: no norms
  readonly renormalise: boolean;
  readonly roles: { readonly input: string; readonly output: string };
  readonly shared: SharedSpec | undefined;
}

/** The spec of a layer under `router_gate_{x,y}`, `router_norm_{x,y}`, `{up,down}_embed`. */
export function omnimoeLayer(
  names: LayerNames,
  sizes: OmnimoeSizes,
): MoeSpec<RouterSpec<ProductScoreSpec>, NeuronExpertSpec> {
  const { experts, tableRows, hidden, activation, roles, shared } = sizes;
  const shape = [tableRows, hidden];
  return {
    kind: 'moe',
    experts,
    router: productRouter(names, sizes),
    expert: {
      kind: 'neuron',
      activation,
      input: { tensor: names.weight(roles.input), shape },
      output: { tensor: names.weight(roles.output), shape },
    },
    ...(shared ? { shared } : {}),
  };
}

/** A router over a square grid of experts by product keys (Lample et al. 2019). */
export function productRouter(
  { weight, other }: LayerNames,
  { k, epsilon, renormalise }: Pick<OmnimoeSizes, 'k' | 'epsilon' | 'renormalise'>,
): RouterSpec<ProductScoreSpec> {
  const norm = (side: 'x' | 'y', of: number) => ({
    mean: other(`router_norm_${side}.running_mean`),
    variance: other(`router_norm_${side}.running_var`),
    epsilon: of,
  });
  return {
    score: {
      kind: 'product',
      rows: weight('router_gate_x'),
      columns: weight('router_gate_y'),
      ...(epsilon === undefined ? {} : { rowsNorm: norm('x', epsilon), columnsNorm: norm('y', epsilon) }),
    },
    select: { kind: 'topK', k },
    weigh: { from: 'exp', normalise: renormalise ? 'sum' : 'none' },
  };
}
