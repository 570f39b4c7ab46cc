import type { ExpertRows } from '../../weights/tensor-rows.ts';
import type { ConfigReader, ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import type { BlockSpec, GatedMlpSpec, MoeSpec, ReluSquaredExpertSpec } from '../spec.ts';
import {
  attention,
  decoder,
  layers,
  linear,
  readExpertCounts,
  readShell,
  readWidth,
  type LinearRouter,
  type Outline,
  type Shell,
} from './common.ts';
import { readSigmoidRule, sigmoidRouter } from './deepseek-mlp.ts';
import { stateSpace, type MambaSizes } from './mamba.ts';

type Kind = 'mamba' | 'attention' | 'moe' | 'mlp';

/** The kinds of layers by the words and letters of configs. */
const KINDS: ReadonlyMap<string, Kind> = new Map([
  ['linear_attention', 'mamba'],
  ['mamba', 'mamba'],
  ['M', 'mamba'],
  ['full_attention', 'attention'],
  ['attention', 'attention'],
  ['*', 'attention'],
  ['moe', 'moe'],
  ['E', 'moe'],
  ['mlp', 'mlp'],
  ['-', 'mlp'],
]);

/** Without the types of layers, which belong to sizes. */
const NEMOTRON_H_DEFAULTS: ConfigValues = {
  vocab_size: 131_072,
  hidden_size: 4096,
  tie_word_embeddings: false,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  head_dim: 128,
  max_position_embeddings: 4096,
  attention_bias: false,
  intermediate_size: 21_504,
  mlp_hidden_act: 'relu2',
  mlp_bias: false,
  ssm_state_size: 128,
  mamba_num_heads: 128,
  mamba_head_dim: 64,
  mamba_hidden_act: 'silu',
  n_groups: 8,
  conv_kernel: 4,
  time_step_min: 0.001,
  use_conv_bias: true,
  mamba_proj_bias: false,
  n_routed_experts: 8,
  n_shared_experts: 1,
  moe_intermediate_size: 7688,
  moe_shared_expert_intermediate_size: 7688,
  num_experts_per_tok: 2,
  routed_scaling_factor: 1,
  n_group: 1,
  topk_group: 1,
  norm_topk_prob: true,
  use_bias: false,
  layer_norm_epsilon: 1e-5,
};

/** Nemotron-H and Nemotron 3: one block a layer, of state spaces (Mamba-2), attention without positions, or experts without gates. */
export const nemotronH: BuiltInFamily = {
  modelTypes: ['nemotron_h'],
  defaults: new Map([['nemotron_h', NEMOTRON_H_DEFAULTS]]),
  parse: (config, file) => {
    refuseOthers(config);
    const kinds = readKinds(config);
    const outline: Outline = {
      layerCount: kinds.length,
      bases: ['backbone.'],
      embedding: 'embeddings.weight',
    };
    const shell = readShell(config, file, { fallback: { rope_theta: 10_000 } }, outline);
    const mamba = kinds.includes('mamba') ? readMamba(config, shell.hidden) : undefined;
    const experts = kinds.includes('moe') ? readExperts(config, shell) : undefined;
    const width = kinds.includes('mlp') ? readWidth(config, 'intermediate_size') : 0;
    const blocks: Readonly<Record<Kind, (at: string, prefix: string) => BlockSpec | undefined>> = {
      mamba: (at) => mamba && stateSpace(at, mamba),
      attention: (_, prefix) => attention(prefix, shell, { module: 'mixer.', isRotated: false }),
      moe: (at) => experts?.(at),
      mlp: (at) => ({ kind: 'dense', ...reluSquaredMlp(at, shell.hidden, width) }),
    };
    return decoder(
      'nemotron_h',
      config,
      shell,
      layers(shell, (layer, prefix) => {
        const block = blocks[kinds[layer] ?? 'mlp'](`${prefix}mixer.`, prefix);
        return { sublayers: block ? [{ norm: `${prefix}norm.weight`, block }] : [] };
      }),
      { norm: 'norm_f.weight' },
    );
  },
};

/** Rejects what is not implemented. */
function refuseOthers(config: ConfigReader): void {
  for (const key of ['use_bias', 'mlp_bias', 'attention_bias', 'mamba_proj_bias']) {
    if (config.boolean([key])) config.unsupported(key, 'layers without biases');
  }
  for (const key of ['moe_latent_size', 'sliding_window']) {
    const [value] = config.integers([key]);
    if (value !== undefined) config.unsupported(`${key} ${value}`, `no ${key}`);
  }
  config.choice(['mlp_hidden_act'], ['relu2']);
  config.choice(['mamba_hidden_act'], ['silu']);
}

/** The kind of each layer, by a list of words or a string of letters. */
function readKinds(config: ConfigReader): Kind[] {
  const words = config.words('layers_block_type') ?? config.words('layer_types');
  const types = words ?? config.text(['hybrid_override_pattern']).split('');
  const [count = types.length] = config.integers(['num_hidden_layers']);
  if (count !== types.length) {
    throw config.contradiction(
      { key: 'num_hidden_layers', value: count },
      { key: 'the number of types of layers', value: types.length },
    );
  }
  return types.map((type) => {
    return KINDS.get(type) ?? config.unsupported(`layer type "${type}"`, [...KINDS.keys()].join(', '));
  });
}

function readMamba(config: ConfigReader, hidden: number): MambaSizes {
  const groups = config.count(['n_groups', 'mamba_n_groups'], undefined, 4096);
  return {
    hidden,
    heads: config.count(['mamba_num_heads'], undefined, 4096),
    dims: config.count(['mamba_head_dim'], undefined, 4096),
    groups,
    states: config.count(['ssm_state_size'], undefined, 4096),
    taps: config.count(['conv_kernel', 'mamba_d_conv'], undefined, 64),
    normGroups: groups,
    // The class bounds dt by this key, and not by time_step_limit.
    bounds: [config.positive(['time_step_min', 'mamba_dt_min']), MAX_F32],
    convBias: config.boolean(['use_conv_bias', 'mamba_conv_bias']),
    projectionBias: false,
  };
}

const MAX_F32 = 3.4028234663852886e38;

/** Reads the experts of all layers: a router by sigmoid with a selection bias, and a shared expert. */
function readExperts(config: ConfigReader, { hidden, file }: Shell) {
  const { experts, topK } = readExpertCounts(config);
  const rule = readSigmoidRule(config, experts, topK);
  const width = readWidth(config, 'moe_intermediate_size');
  const sharedWidth = readWidth(config, 'moe_shared_expert_intermediate_size');
  const shared = config.count(['n_shared_experts']);
  if (shared !== 1) config.unsupported(`n_shared_experts ${shared}`, 'one shared expert');
  return (at: string): MoeSpec<LinearRouter, ReluSquaredExpertSpec> => {
    const matrix = (name: string, rows: number, cols: number): ExpertRows => {
      const fused = `${at}experts.${name}`; // as in transformers 5
      return file?.has(fused)
        ? { tensor: fused, shape: [experts, rows, cols] }
        : { tensor: `${at}experts.{expert}.${name}.weight`, shape: [rows, cols] };
    };
    const [up, down] = [matrix('up_proj', width, hidden), matrix('down_proj', hidden, width)];
    return {
      kind: 'moe',
      experts,
      router: sigmoidRouter(`${at}gate.weight`, `${at}gate.e_score_correction_bias`, rule),
      expert: { kind: 'reluSquared', width, up, down },
      shared: reluSquaredMlp(`${at}shared_experts.`, hidden, sharedWidth),
    };
  };
}

/** down(relu(up x)^2), as a gated MLP whose gate is `up` itself: relu(up x) * up x. */
function reluSquaredMlp(at: string, hidden: number, width: number): GatedMlpSpec {
  const up = [`${at}up_proj.weight`, width] as const;
  return {
    width,
    activation: 'relu',
    gateUp: linear(hidden, up, up),
    down: linear(width, [`${at}down_proj.weight`, hidden]),
  };
}
