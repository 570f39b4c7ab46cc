/** A made-up SmallThinker as a folder and as a GGUF file, and what it computes in plain loops. Not part of the library. */
import { f32Tensor, ggufBytes } from '../containers/gguf.testing.ts';
import { f32Safetensors } from '../containers/safetensors.testing.ts';
import { memoryFolder } from '../io/memory.ts';
import type { FolderSource } from '../io/source.ts';
import { attended, normed, product, rotatedHalves, softmax } from './plain-loops.testing.ts';
import { uniform } from './talk/random.ts';

const LAYOUT = [0, 1, 1, 1, 0]; // of windows and of positions

export const SMALLTHINKER_CONFIG = {
  model_type: 'smallthinker',
  vocab_size: 96,
  hidden_size: 64,
  num_hidden_layers: 5,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  rope_layout: LAYOUT,
  sliding_window_layout: LAYOUT,
  sliding_window_size: 6,
  moe_num_primary_experts: 8,
  moe_num_active_primary_experts: 3,
  moe_ffn_hidden_size: 32,
  moe_primary_router_apply_softmax: false,
  tie_word_embeddings: false,
};

const C = SMALLTHINKER_CONFIG;
const [QUERY, CACHED] = [C.num_attention_heads * C.head_dim, C.num_key_value_heads * C.head_dim];

/** Names within a layer, in Hugging Face's files and in GGUF's. */
const LAYER: readonly (readonly [name: string, stored: string, ...shape: number[]])[] = [
  ['input_layernorm', 'attn_norm', C.hidden_size],
  ['self_attn.q_proj', 'attn_q', QUERY, C.hidden_size],
  ['self_attn.k_proj', 'attn_k', CACHED, C.hidden_size],
  ['self_attn.v_proj', 'attn_v', CACHED, C.hidden_size],
  ['self_attn.o_proj', 'attn_output', C.hidden_size, QUERY],
  ['post_attention_layernorm', 'ffn_norm', C.hidden_size],
  ['block_sparse_moe.primary_router', 'ffn_gate_inp', C.moe_num_primary_experts, C.hidden_size],
];
const EXPERT: typeof LAYER = [
  ['gate', 'ffn_gate_exps', C.moe_ffn_hidden_size, C.hidden_size],
  ['up', 'ffn_up_exps', C.moe_ffn_hidden_size, C.hidden_size],
  ['down', 'ffn_down_exps', C.hidden_size, C.moe_ffn_hidden_size],
];
const OUTER: typeof LAYER = [
  ['model.embed_tokens', 'token_embd', C.vocab_size, C.hidden_size],
  ['model.norm', 'output_norm', C.hidden_size],
  ['lm_head', 'output', C.vocab_size, C.hidden_size],
];

interface Made {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Random tensors by the names of Hugging Face; gains are about 1. */
function made(): Map<string, Made> {
  const tensors = new Map<string, Made>();
  const add = (name: string, shape: readonly number[]) => {
    const count = shape.reduce((product_, size) => product_ * size, 1);
    const seed = tensors.size + 1;
    const [mean, spread] = shape.length === 1 ? [1, 0.5] : [0, 0.7];
    const values = Float32Array.from({ length: count }, (_, at) => mean + spread * (uniform(seed, at) - 0.5));
    tensors.set(`${name}.weight`, { shape, values });
  };
  for (const [name, , ...shape] of OUTER) add(name, shape);
  for (let layer = 0; layer < C.num_hidden_layers; layer += 1) {
    const at = `model.layers.${layer}.`;
    for (const [name, , ...shape] of LAYER) add(`${at}${name}`, shape);
    for (let expert = 0; expert < C.moe_num_primary_experts; expert += 1)
      for (const [name, , ...shape] of EXPERT) add(`${at}block_sparse_moe.experts.${expert}.${name}`, shape);
  }
  return tensors;
}

const TENSORS = made();

function valuesOf(name: string): Float32Array {
  const tensor = TENSORS.get(`${name}.weight`);
  if (!tensor) throw new Error(`no ${name}`);
  return tensor.values;
}

/** The model as a folder. */
export function smallThinkerFolder(config: Readonly<Record<string, unknown>> = {}): FolderSource {
  return memoryFolder({
    'config.json': JSON.stringify({ ...C, ...config }),
    'model.safetensors': f32Safetensors(
      Object.fromEntries(
        [...TENSORS].map(([name, { shape, values }]) => [name, { shape, values: [...values] }]),
      ),
    ),
  });
}

/** The same as a GGUF file, as llama.cpp's converter names and stacks tensors. */
export function smallThinkerGguf(isSoftmax: boolean): FolderSource {
  const metadata = {
    'general.architecture': 'smallthinker',
    'smallthinker.block_count': C.num_hidden_layers,
    'smallthinker.context_length': C.max_position_embeddings,
    'smallthinker.embedding_length': C.hidden_size,
    'smallthinker.feed_forward_length': C.moe_ffn_hidden_size,
    'smallthinker.attention.head_count': C.num_attention_heads,
    'smallthinker.attention.head_count_kv': C.num_key_value_heads,
    'smallthinker.attention.key_length': C.head_dim,
    'smallthinker.attention.value_length': C.head_dim,
    'smallthinker.attention.layer_norm_rms_epsilon': C.rms_norm_eps,
    'smallthinker.attention.sliding_window': C.sliding_window_size,
    'smallthinker.rope.freq_base': C.rope_theta,
    'smallthinker.expert_count': C.moe_num_primary_experts,
    'smallthinker.expert_used_count': C.moe_num_active_primary_experts,
    'smallthinker.expert_feed_forward_length': C.moe_ffn_hidden_size,
    'smallthinker.expert_gating_func': isSoftmax ? 1 : 2,
  };
  const tensors = OUTER.map(([name, stored, ...shape]) => tensorOf(stored, shape, [valuesOf(name)]));
  for (let layer = 0; layer < C.num_hidden_layers; layer += 1) {
    const [from, to] = [`model.layers.${layer}.`, `blk.${layer}.`];
    for (const [name, stored, ...shape] of LAYER)
      tensors.push(tensorOf(`${to}${stored}`, shape, [valuesOf(`${from}${name}`)]));
    for (const [name, stored, ...shape] of EXPERT) {
      const experts = Array.from({ length: C.moe_num_primary_experts }, (_, expert) =>
        valuesOf(`${from}block_sparse_moe.experts.${expert}.${name}`),
      );
      tensors.push(tensorOf(`${to}${stored}`, [experts.length, ...shape], experts));
    }
  }
  return { ...memoryFolder({ 'm.gguf': ggufBytes({ metadata, tensors }) }), entry: 'm.gguf' };
}

function tensorOf(stored: string, shape: readonly number[], pieces: readonly Float32Array[]) {
  const values = Float32Array.from(pieces.flatMap((piece) => [...piece]));
  return f32Tensor(`${stored}.weight`, [...shape].reverse(), values);
}

/** The logits of every position. */
export function smallThinkerLogits(ids: readonly number[], isSoftmax: boolean): number[] {
  const caches = LAYOUT.map(() => ({ keys: [] as number[][], values: [] as number[][] }));
  return ids.flatMap((id, position) => {
    let x: number[] = [
      ...valuesOf('model.embed_tokens').subarray(id * C.hidden_size, (id + 1) * C.hidden_size),
    ];
    for (const [layer, cache] of caches.entries()) {
      const entry = x; // what the router reads
      const y = attend(layer, cache, normedBy(layer, 'input_layernorm', x), position);
      x = x.map((value, i) => value + (y[i] ?? 0));
      const z = mix(layer, entry, normedBy(layer, 'post_attention_layernorm', x), isSoftmax);
      x = x.map((value, i) => value + (z[i] ?? 0));
    }
    return product(valuesOf('lm_head'), normed(x, valuesOf('model.norm'), C.rms_norm_eps));
  });
}

function normedBy(layer: number, name: string, x: readonly number[]): number[] {
  return normed(x, valuesOf(`model.layers.${layer}.${name}`), C.rms_norm_eps);
}

function attend(
  layer: number,
  cache: { readonly keys: number[][]; readonly values: number[][] },
  x: readonly number[],
  position: number,
): number[] {
  const isOn = LAYOUT[layer] === 1;
  const project = (name: string) => product(valuesOf(`model.layers.${layer}.self_attn.${name}_proj`), x);
  const placed = (values: number[]) =>
    isOn ? rotatedHalves(values, C.head_dim, C.rope_theta, position) : values;
  cache.keys.push(placed(project('k')));
  cache.values.push(project('v'));
  const o = attended(placed(project('q')), {
    ...cache,
    heads: C.num_attention_heads,
    kvHeads: C.num_key_value_heads,
    ...(isOn ? { window: C.sliding_window_size } : {}),
  });
  return product(valuesOf(`model.layers.${layer}.self_attn.o_proj`), o);
}

function mix(layer: number, entry: readonly number[], x: readonly number[], isSoftmax: boolean): number[] {
  const at = `model.layers.${layer}.block_sparse_moe.`;
  const logits = product(valuesOf(`${at}primary_router`), entry);
  const order = logits.map((logit, expert) => ({ logit, expert })).sort((a, b) => b.logit - a.logit);
  const chosen = order.slice(0, C.moe_num_active_primary_experts);
  const sigmoids = chosen.map(({ logit }) => 1 / (1 + Math.exp(-logit)));
  const total = sigmoids.reduce((sum, value) => sum + value, 0);
  const weights = isSoftmax
    ? softmax(chosen.map(({ logit }) => logit))
    : sigmoids.map((value) => value / total);
  const y = x.map(() => 0);
  for (const [rank, { expert }] of chosen.entries()) {
    const matrix = (name: string) => valuesOf(`${at}experts.${expert}.${name}`);
    const up = product(matrix('up'), x);
    const h = product(matrix('gate'), x).map((gate, i) => Math.max(gate, 0) * (up[i] ?? 0));
    for (const [i, value] of product(matrix('down'), h).entries())
      y[i] = (y[i] ?? 0) + (weights[rank] ?? 0) * value;
  }
  return y;
}
