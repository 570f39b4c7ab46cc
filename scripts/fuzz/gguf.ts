/** The base model as a GGUF file, and what can be wrong with one. */
import { ggufBytes, type Written, type WrittenTensor } from '../../src/containers/gguf.testing.ts';
import { CONFIG, shapes, SPECIAL, VOCAB, WORDS } from './model.ts';
import { mutateBytes } from './mutate.ts';
import { Chooser } from './random.ts';

type Metadata = Readonly<Record<string, Written>>;

const METADATA: Metadata = {
  'general.architecture': 'qwen3moe',
  'qwen3moe.block_count': CONFIG.num_hidden_layers,
  'qwen3moe.context_length': CONFIG.max_position_embeddings,
  'qwen3moe.embedding_length': CONFIG.hidden_size,
  'qwen3moe.feed_forward_length': CONFIG.intermediate_size,
  'qwen3moe.expert_feed_forward_length': CONFIG.moe_intermediate_size,
  'qwen3moe.attention.head_count': CONFIG.num_attention_heads,
  'qwen3moe.attention.head_count_kv': CONFIG.num_key_value_heads,
  'qwen3moe.attention.key_length': CONFIG.head_dim,
  'qwen3moe.attention.layer_norm_rms_epsilon': CONFIG.rms_norm_eps,
  'qwen3moe.rope.freq_base': CONFIG.rope_theta,
  'qwen3moe.expert_count': CONFIG.num_experts,
  'qwen3moe.expert_used_count': CONFIG.num_experts_per_tok,
  'tokenizer.ggml.model': 'gpt2',
  'tokenizer.ggml.pre': 'gpt-2',
  'tokenizer.ggml.tokens': [...SPECIAL, ...WORDS],
  'tokenizer.ggml.token_type': [...SPECIAL.map(() => 3), ...WORDS.map(() => 1)],
  'tokenizer.ggml.merges': [],
  'tokenizer.ggml.eos_token_id': 0,
};

const MODULES: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'mlp.gate': 'ffn_gate_inp',
  'mlp.experts.0.gate_proj': 'ffn_gate_exps',
  'mlp.experts.0.up_proj': 'ffn_up_exps',
  'mlp.experts.0.down_proj': 'ffn_down_exps',
};

/** The base model's tensors; experts are stacked in the place of their first. */
function tensors(): WrittenTensor[] {
  const chooser = new Chooser(1);
  return shapes().flatMap(([name, shape]) => {
    const [, layer, own = ''] = /^(?:model\.layers\.(\d+)\.)?(.+)\.weight$/.exec(name) ?? [];
    const module = MODULES[own];
    if (module === undefined) return [];
    const dims = [...shape].reverse().concat(module.endsWith('_exps') ? [CONFIG.num_experts] : []);
    const count = dims.reduce((product, size) => product * size, 1);
    const values = Float32Array.from({ length: count }, () => (dims.length === 1 ? 1 : chooser.unit() - 0.5));
    const at = layer === undefined ? '' : `blk.${layer}.`;
    return { name: `${at}${module}.weight`, dims, type: 0, bytes: new Uint8Array(values.buffer) };
  });
}

const TENSORS = tensors();

/** A damaged file, and whether no reader may overlook the damage. */
export interface DamagedGguf {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly mustRefuse?: boolean;
}

/** Values that readers forget. */
const HOSTILE: readonly Written[] = [
  ...[0, 1, 3, 65_537, 2 ** 31 - 1, 0.5, true, false, '', '\u001b[2J', 'constructor', 'x'.repeat(100_000)],
  ...[[], [1, 2], ['a'], [true], Array.from({ length: 200_000 }, () => 1)],
  { type: 'i32', value: -1 },
  { type: 'f64', value: Infinity },
];

/** Changes of the metadata that the tensors contradict. */
const CONTRADICTIONS: readonly Metadata[] = [
  { 'general.architecture': 'constructor' },
  { 'general.alignment': 12 },
  { 'qwen3moe.block_count': 1 },
  { 'qwen3moe.block_count': 3 },
  { 'qwen3moe.block_count': 2 ** 31 - 1 },
  { 'qwen3moe.expert_count': CONFIG.num_experts + 1 },
  { 'qwen3moe.expert_used_count': CONFIG.num_experts + 1 },
  { 'qwen3moe.embedding_length': 2 * CONFIG.hidden_size },
  { 'qwen3moe.attention.head_count': 3 },
  { 'qwen3moe.attention.value_length': CONFIG.head_dim / 2 },
  { 'qwen3moe.rope.dimension_count': CONFIG.head_dim / 2 },
  { 'qwen3moe.attention.sliding_window': CONFIG.max_position_embeddings - 1 },
  { 'qwen3moe.attention.causal': false },
  { 'qwen3moe.expert_gating_func': 2 },
  { 'qwen3moe.vocab_size': VOCAB + 1 },
  { 'tokenizer.ggml.tokens': Array.from({ length: VOCAB + 1 }, (_, id) => `t${id}`) },
  { 'tokenizer.ggml.eos_token_id': VOCAB },
];

/** Lies about a tensor. */
const LIES: readonly ((tensor: WrittenTensor) => WrittenTensor)[] = [
  (tensor) => ({ ...tensor, name: `${tensor.name}.other` }),
  (tensor) => ({ ...tensor, type: 28 }),
  (tensor) => ({ ...tensor, type: 24 }),
  (tensor) => ({ ...tensor, dims: [...tensor.dims, 2] }),
  (tensor) => ({ ...tensor, dims: [0, ...tensor.dims] }),
  (tensor) => ({ ...tensor, offsetBytes: 8 }),
  (tensor) => ({ ...tensor, bytes: new Uint8Array(tensor.bytes.byteLength).fill(255) }),
];

/** Keys that only some files have. */
const OPTIONAL = [
  'general.alignment',
  'split.count',
  ...[
    'attention.value_length',
    'attention.causal',
    'attention.sliding_window',
    'expert_gating_func',
    'vocab_size',
  ],
  ...[
    'expert_weights_norm',
    'nextn_predict_layers',
    'rope.dimension_count',
    'rope.scaling.type',
    'rope.scaling.factor',
  ],
].map((name) => (/^(general|split)/.test(name) ? name : `qwen3moe.${name}`));

/** Tensors that the model has no use for, or that scale its positions wrongly. */
const EXTRAS: readonly (readonly [name: string, ...dims: number[]])[] = [
  ['blk.0.attn_gate.weight', 8, 8],
  ['blk.0.attn_q.bias', 8],
  ['blk.0.post_attention_norm.weight', CONFIG.hidden_size],
  ['output_norm.bias', CONFIG.hidden_size],
  ['token_types.weight', 8],
  ['rope_freqs.weight', CONFIG.head_dim],
  ['rope_freqs.weight', CONFIG.head_dim / 2],
  ['rope_factors_long.weight', CONFIG.head_dim / 2],
];

const WAYS: readonly ((chooser: Chooser) => DamagedGguf)[] = [
  (chooser) => ({
    what: 'bytes of the GGUF file',
    bytes: mutateBytes(ggufBytes({ metadata: METADATA, tensors: TENSORS }), chooser),
  }),
  (chooser) => {
    const key = chooser.of([...Object.keys(METADATA), ...OPTIONAL]);
    const { [key]: _, ...rest } = METADATA;
    const metadata = chooser.below(6) === 0 ? rest : { ...rest, [key]: chooser.of(HOSTILE) };
    return { what: `GGUF key ${key}`, bytes: ggufBytes({ metadata, tensors: TENSORS }) };
  },
  (chooser) => {
    const changed = chooser.of(CONTRADICTIONS);
    const bytes = ggufBytes({ metadata: { ...METADATA, ...changed }, tensors: TENSORS });
    return { what: `GGUF with ${JSON.stringify(changed).slice(0, 100)}`, bytes, mustRefuse: true };
  },
  (chooser) => {
    // What is behind the last tensor does not tell its type; without its head a model is tied.
    const at = chooser.below(TENSORS.length - 1);
    const lie = chooser.of(LIES);
    const lied = TENSORS.map((tensor, index) => (index === at ? lie(tensor) : tensor));
    const name = TENSORS[at]?.name;
    const bytes = ggufBytes({ metadata: METADATA, tensors: lied });
    return { what: `GGUF lies about ${name}`, bytes, mustRefuse: name !== 'output.weight' };
  },
  (chooser) => {
    const [name, ...dims] = chooser.of(EXTRAS);
    const extra = { name, dims, type: 0, bytes: new Uint8Array(4 * dims.reduce((a, b) => a * b, 1)) };
    const at = chooser.below(TENSORS.length);
    const bytes = ggufBytes({ metadata: METADATA, tensors: TENSORS.toSpliced(at, 0, extra) });
    return { what: `GGUF with the tensor ${name} ${dims}`, bytes, mustRefuse: true };
  },
];

/** A file with random damage. */
export function damagedGguf(chooser: Chooser): DamagedGguf {
  return chooser.of(WAYS)(chooser);
}
