import type { ConfigReader } from '../config.ts';
import type { ConfigFamily } from '../family.ts';
import type { BiasedAttentionSpec, LayerSpec } from '../spec.ts';
import {
  attention,
  decoder,
  denseMlp,
  gatedMlp,
  layers,
  MAX_NEURONS,
  readActivation,
  readShell,
  readSquare,
  readWidth,
  type Shell,
} from './common.ts';
import { refuseWindow } from './windows.ts';

/**
 * Doge (SmallDoge): biases of keys made of their values, a weighted residual stream, and one-neuron experts behind a product router,
 * beside a dense MLP. `router_split` is a key of Atomoe's: `prompt` computes what transformers does for a prompt in one pass.
 */
export const doge: ConfigFamily = {
  modelTypes: ['doge'],
  parse: (config, file) => {
    const shell = readShell(config, file);
    refuseWindow(config, shell.layerCount);
    for (const key of ['attention_bias', 'mlp_bias'])
      if (config.boolean([key], false)) config.unsupported(`${key} true`, 'no biases');
    const mlpOf = config.boolean(['is_moe'], false) ? readExperts(config, shell) : readDense(config, shell);
    // Of a longer context only the keys with the largest biases would stay.
    const kept = config.count(['keep_window_size'], 2048);
    const spec = decoder(
      'doge',
      config,
      shell,
      layers(shell, (_, prefix) => layerOf(prefix, shell, mlpOf(`${prefix}mlp.`))),
    );
    return { ...spec, maxContextTokens: Math.min(spec.maxContextTokens, kept) };
  },
};

function layerOf(prefix: string, shell: Shell, mlp: LayerSpec['sublayers'][number]['block']): LayerSpec {
  const at = `${prefix}self_attn.`;
  const mixer: BiasedAttentionSpec = {
    ...attention(prefix, shell, { norm: 'head' }),
    kind: 'biasedAttention',
    keyBias: { weight: `${at}dt_proj.weight`, slope: `${at}A` },
  };
  return {
    sublayers: [
      {
        norm: `${prefix}input_layernorm.weight`,
        block: mixer,
        weights: `${prefix}input_residual`,
      },
      {
        norm: `${prefix}post_attention_layernorm.weight`,
        block: mlp,
        weights: `${prefix}post_attention_residual`,
      },
    ],
  };
}

function readDense(config: ConfigReader, { hidden }: Shell) {
  const width = readWidth(config, 'intermediate_size');
  const activation = readActivation(config);
  return (at: string) => denseMlp(at, hidden, width, activation);
}

/** Of the scores of the router, the first half are rows of the grid of experts, the second columns. */
function readExperts(config: ConfigReader, { hidden }: Shell) {
  const width = readWidth(config, 'intermediate_size');
  const activation = readActivation(config);
  const experts = readSquare(config, 'num_experts');
  const k = config.count(['num_experts_per_tok'], undefined, MAX_NEURONS);
  const split = config.choice(['router_split'], ['token', 'prompt'], 'token');
  const grid = Math.sqrt(experts);
  return (at: string) => {
    const half = (rowStart: number) => {
      return { tensor: `${at}router_gate.weight`, shape: [2 * grid, hidden], rowStart, rowCount: grid };
    };
    const table = (name: string) => ({ tensor: `${at}${name}.weight`, shape: [experts, hidden] });
    return {
      kind: 'moe',
      experts,
      router: {
        score: { kind: 'product', rows: half(0), columns: half(grid), split },
        select: { kind: 'topK', k },
        // The softmax of the chosen sums, so that norm_topk_prob changes nothing.
        weigh: { from: 'exp', normalise: 'sum' },
      },
      expert: { kind: 'neuron', activation, input: table('down_embed'), output: table('up_embed') },
      shared: gatedMlp(at, hidden, width, activation),
    } as const;
  };
}
