import type { TensorRows } from '../../graph/tensor.ts';
import type { Activation } from '../../kernels/activation.ts';
import type { RouterRule } from '../../kernels/gate.ts';
import type { ConfigReader } from '../config.ts';
import type { AttentionSpec, GatedMlpSpec, LayerSpec, LinearSpec, ModelSpec } from '../spec.ts';

/** The sizes that nearly all decoder configs share. */
export interface Shell {
  readonly hidden: number;
  readonly layerCount: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly theta: number;
}

export function readShell(config: ConfigReader): Shell {
  const hidden = config.count(['hidden_size']);
  const heads = config.count(['num_attention_heads']);
  const rope = config.section('rope_parameters');
  const kind = rope.text(
    ['rope_type', 'type'],
    config.section('rope_scaling').text(['rope_type', 'type'], 'default'),
  );
  if (kind !== 'default') config.unsupported(`rope scaling "${kind}"`, 'default rotary positions');
  if (!Number.isInteger(hidden / heads) && !config.has('head_dim')) {
    config.unsupported(`hidden_size ${hidden} over ${heads} heads`, 'a whole head_dim');
  }
  return {
    hidden,
    heads,
    layerCount: config.count(['num_hidden_layers']),
    kvHeads: config.count(['num_key_value_heads'], heads),
    headDim: config.count(['head_dim'], hidden / heads),
    theta: rope.number(['rope_theta'], config.number(['rope_theta'], 10_000)),
  };
}

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_pytorch_tanh: 'gelu-tanh',
  gelu_new: 'gelu-tanh',
  relu: 'relu',
};

export function readActivation(config: ConfigReader): Activation {
  const name = config.text(['hidden_act', 'hidden_activation'], 'silu');
  return ACTIVATIONS[name] ?? config.unsupported(`activation "${name}"`, Object.keys(ACTIVATIONS).join(', '));
}

export function linear(...weights: readonly string[]): LinearSpec {
  return { weight: weights.map((tensor) => ({ tensor })) };
}

export interface AttentionChoices {
  readonly norm?: 'none' | 'head' | 'vector';
  readonly qkvBias?: boolean;
  readonly outBias?: boolean;
  readonly scale?: number;
  readonly window?: number;
}

/** Attention under the usual names `self_attn.{q,k,v,o}_proj`, `{q,k}_norm`. */
export function attention(prefix: string, shell: Shell, choices: AttentionChoices = {}): AttentionSpec {
  const { norm = 'none', qkvBias = false, outBias = false } = choices;
  const { heads, kvHeads, headDim, theta } = shell;
  const names = ['q', 'k', 'v'].map((name) => `${prefix}self_attn.${name}_proj`);
  return {
    heads,
    kvHeads,
    headDim,
    scale: choices.scale ?? headDim ** -0.5,
    window: choices.window ?? 0,
    rope: { theta, rotaryDim: headDim, style: 'half' },
    norm:
      norm === 'none'
        ? { kind: 'none' }
        : { kind: norm, q: `${prefix}self_attn.q_norm.weight`, k: `${prefix}self_attn.k_norm.weight` },
    qkv: {
      ...linear(...names.map((name) => `${name}.weight`)),
      ...(qkvBias ? { bias: names.map((name) => `${name}.bias`) } : {}),
    },
    out: {
      ...linear(`${prefix}self_attn.o_proj.weight`),
      ...(outBias ? { bias: [`${prefix}self_attn.o_proj.bias`] } : {}),
    },
  };
}

/** A gated MLP under `gate_proj`, `up_proj`, `down_proj`. */
export function gatedMlp(prefix: string, width: number, activation: Activation): GatedMlpSpec {
  return {
    width,
    activation,
    gateUp: linear(`${prefix}gate_proj.weight`, `${prefix}up_proj.weight`),
    down: linear(`${prefix}down_proj.weight`),
  };
}

/** Experts of three tensors each, named by a function of the matrix. */
export function separateExperts(
  name: (expert: number, matrix: 'gate' | 'up' | 'down') => string,
): (expert: number) => { gate: TensorRows; up: TensorRows; down: TensorRows } {
  return (expert) => ({
    gate: { tensor: name(expert, 'gate') },
    up: { tensor: name(expert, 'up') },
    down: { tensor: name(expert, 'down') },
  });
}

/** softmax over all, top-k, with or without renormalisation (spec/model-families.md 1.4, R1). */
export function softmaxRule(renormalise: boolean): RouterRule {
  return { score: 'softmax', renorm: renormalise ? 'sum' : 'none', eps: 0, scale: 1, groups: null };
}

/** The rest of a model around its layers, under the usual names. */
export function decoder(
  family: string,
  config: ConfigReader,
  shell: Shell,
  layers: readonly LayerSpec[],
  multipliers: Partial<
    Pick<ModelSpec, 'embeddingMultiplier' | 'residualMultiplier' | 'logitsMultiplier'>
  > = {},
): ModelSpec {
  const isTied = config.boolean(['tie_word_embeddings'], false);
  return {
    family,
    vocab: config.count(['vocab_size']),
    hidden: shell.hidden,
    eps: config.number(['rms_norm_eps']),
    maxContextTokens: config.count(['max_position_embeddings'], 4096),
    layers,
    embedding: 'model.embed_tokens.weight',
    embeddingMultiplier: 1,
    residualMultiplier: 1,
    logitsMultiplier: 1,
    ...multipliers,
    norm: 'model.norm.weight',
    head: isTied ? 'model.embed_tokens.weight' : 'lm_head.weight',
    bosId: config.integers(['bos_token_id'])[0],
    eosIds: config.integers(['eos_token_id']),
  };
}

export function layerPrefix(layer: number): string {
  return `model.layers.${layer}.`;
}

/** One `LayerSpec` for each layer. */
export function layers(shell: Shell, make: (layer: number, prefix: string) => LayerSpec): LayerSpec[] {
  return Array.from({ length: shell.layerCount }, (_, layer) => make(layer, layerPrefix(layer)));
}

export function norms(prefix: string): Pick<LayerSpec, 'attentionNorm' | 'mlpNorm'> {
  return {
    attentionNorm: `${prefix}input_layernorm.weight`,
    mlpNorm: `${prefix}post_attention_layernorm.weight`,
  };
}
