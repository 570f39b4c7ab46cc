import type { Activation } from '../../kernels/core/activation.ts';
import type { ConfigFamily } from '../family.ts';
import type { AffineNormSpec, MoeSpec, NeuronExpertSpec, ProductKeysScoreSpec, RouterSpec } from '../spec.ts';
import {
  attention,
  decoder,
  layerOf,
  layers,
  MAX_NEURONS,
  namesUnder,
  readActivation,
  readShell,
  readSquare,
  type LayerNames,
} from './common.ts';
import { refuseWindow } from './windows.ts';

/**
 * PEER ("Mixture of A Million Experts", arXiv:2407.04153): product keys over one-neuron experts, several independent
 * heads, and no other MLP. There is no released model: the keys of the config are those below.
 */
export const peer: ConfigFamily = {
  modelTypes: ['peer'],
  parse: (config, file) => {
    const shell = readShell(config, file);
    const { hidden } = shell;
    refuseWindow(config, shell.layerCount);
    const activation = readActivation(config);
    const experts = readSquare(config, 'num_experts');
    const heads = config.count(['num_expert_heads'], undefined, MAX_NEURONS);
    const k = config.count(['num_experts_per_head'], undefined, MAX_NEURONS);
    const keySize = config.count(['expert_key_size'], undefined, MAX_NEURONS);
    const hasNorm = config.choice(['query_norm'], ['batch_norm', 'none']) === 'batch_norm';
    const epsilon = hasNorm ? config.positive(['query_norm_eps']) : undefined;
    const sizes = { experts, tableRows: experts, hidden, heads, k, keySize, activation, epsilon };
    return decoder(
      'peer',
      config,
      shell,
      layers(shell, (_, prefix) =>
        layerOf(prefix, attention(prefix, shell), peerLayer(namesUnder(`${prefix}mlp.`, file), sizes)),
      ),
    );
  },
};

/** Sizes of a layer, from the config. */
export interface PeerSizes {
  readonly experts: number; // a square number
  readonly tableRows: number; // rows of the embeddings; those past the experts are unused
  readonly hidden: number;
  readonly heads: number; // independent heads
  readonly k: number; // experts per head
  readonly keySize: number; // size of half a query
  readonly activation: Activation;
  readonly epsilon: number | undefined; // of the query's batch norm; undefined: no norm
}

/** The spec of a layer under `query`, `query_norm`, `keys_{x,y}`, `{down,up}_embed`: `down_embed` contains the input vectors. */
export function peerLayer(
  names: LayerNames,
  sizes: PeerSizes,
): MoeSpec<RouterSpec<ProductKeysScoreSpec>, NeuronExpertSpec> {
  const { experts, tableRows, hidden, heads, k, keySize, activation, epsilon } = sizes;
  const shape = [tableRows, hidden];
  const queryBias = names.optional('query.bias');
  return {
    kind: 'moe',
    experts,
    router: {
      score: {
        kind: 'productKeys',
        heads,
        keySize,
        query: names.weight('query'),
        ...(queryBias === undefined ? {} : { queryBias }),
        ...(epsilon === undefined ? {} : { queryNorm: queryNorm(names, epsilon) }),
        keysX: names.weight('keys_x'),
        keysY: names.weight('keys_y'),
      },
      select: { kind: 'topK', k },
      weigh: { normalise: 'softmax' },
    },
    expert: {
      kind: 'neuron',
      activation,
      input: { tensor: names.weight('down_embed'), shape },
      output: { tensor: names.weight('up_embed'), shape },
    },
  };
}

function queryNorm(names: LayerNames, epsilon: number): AffineNormSpec {
  const gain = names.optional('query_norm.weight');
  const shift = names.optional('query_norm.bias');
  return {
    mean: names.other('query_norm.running_mean'),
    variance: names.other('query_norm.running_var'),
    epsilon,
    ...(gain === undefined ? {} : { gain }),
    ...(shift === undefined ? {} : { shift }),
  };
}
