/** The files of made-up models, as publishers and llama.cpp's converter name their tensors. Not part of the library. */
import { f32Tensor, ggufBytes, type Written } from '../containers/gguf.testing.ts';
import { f32Safetensors } from '../containers/safetensors.testing.ts';
import { memoryFolder } from '../io/memory.ts';
import type { FolderSource } from '../io/source.ts';
import type { PlainModel, PlainShape } from './plain-model.testing.ts';

/** A tensor of a file: its name, and the weights whose rows it stacks. */
export interface StoredTensor {
  readonly name: string;
  readonly parts: readonly string[];
  readonly experts?: number; // first dimension, before rows and columns; default: none
  readonly isPaired?: boolean; // rows of each head in pairs: row 2i was row i, row 2i + 1 was row i + headDim / 2
}

/** The tensors of a model's file outside of layers, and in each of them. */
export interface Stored {
  readonly outer: readonly StoredTensor[];
  readonly layer: (layer: number) => readonly StoredTensor[];
}

/** A made-up model of a family. */
export interface PlainFamily {
  readonly model: PlainModel;
  readonly config: Readonly<Record<string, unknown>>;
  readonly stored: Stored;
  readonly gguf?: Stored & { readonly metadata: Readonly<Record<string, Written>> };
}

/** A tensor for each pair of names: the file's and the weight's. */
export function named(names: Readonly<Record<string, string>>): StoredTensor[] {
  return Object.entries(names).map(([name, part]) => ({ name, parts: [part] }));
}

/** The three matrices of each expert under their own names, `${at}3.gate_proj.weight`. */
export function singleExperts(at: string, experts: number): StoredTensor[] {
  return Array.from({ length: experts }, (_, expert) =>
    ['gate', 'up', 'down'].map((matrix) => ({
      name: `${at}${expert}.${matrix}_proj.weight`,
      parts: [`${matrix}.${expert}`],
    })),
  ).flat();
}

/** The matrices of all experts as GGUF files stack them. */
export function stackedExperts(experts: number): StoredTensor[] {
  return ['gate', 'up', 'down'].map((matrix) => ({
    name: `ffn_${matrix}_exps.weight`,
    parts: Array.from({ length: experts }, (_, expert) => `${matrix}.${expert}`),
    experts,
  }));
}

/** The names of an MLP in both kinds of files. */
export function mlpNames(at: string, which: 'shared' | 'dense'): Record<string, string> {
  return Object.fromEntries(
    ['gate', 'up', 'down'].map((matrix) => [`${at}${matrix}_proj.weight`, `${matrix}.${which}`]),
  );
}

/** As `mlpNames`, in GGUF files. @param suffix - `_shexp` of a shared expert */
export function ggufMlpNames(which: 'shared' | 'dense', suffix = ''): Record<string, string> {
  return Object.fromEntries(
    ['gate', 'up', 'down'].map((matrix) => [`ffn_${matrix}${suffix}.weight`, `${matrix}.${which}`]),
  );
}

/** The usual names outside of layers. */
export const HUB_OUTER = named({
  'model.embed_tokens.weight': 'embedding',
  'model.norm.weight': 'norm',
  'lm_head.weight': 'head',
});

/** The usual names of attention and the norm before it. */
export const HUB_ATTENTION = {
  'input_layernorm.weight': 'norm',
  'self_attn.q_proj.weight': 'q',
  'self_attn.k_proj.weight': 'k',
  'self_attn.v_proj.weight': 'v',
  'self_attn.o_proj.weight': 'o',
} as const;

/** The same in GGUF files. */
export const GGUF_ATTENTION = {
  'attn_norm.weight': 'norm',
  'attn_q.weight': 'q',
  'attn_k.weight': 'k',
  'attn_v.weight': 'v',
  'attn_output.weight': 'o',
} as const;

/** Positions of every made-up model. */
export const CONTEXT = 64;

/** The sizes that every config has. */
export function hubSizes({ vocab, hidden, layers, ...shape }: PlainShape): Record<string, unknown> {
  return {
    vocab_size: vocab,
    hidden_size: hidden,
    num_hidden_layers: layers.length,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headDim,
    max_position_embeddings: CONTEXT,
    rms_norm_eps: shape.eps,
    tie_word_embeddings: false,
  };
}

/** The same in GGUF files. */
export function ggufSizes(
  architecture: string,
  { vocab, hidden, layers, ...shape }: PlainShape,
): Record<string, Written> {
  const own = {
    block_count: layers.length,
    context_length: CONTEXT,
    embedding_length: hidden,
    feed_forward_length: shape.dense,
    'attention.head_count': shape.heads,
    'attention.head_count_kv': shape.kvHeads,
    'attention.key_length': shape.headDim,
    'attention.value_length': shape.headDim,
    'attention.layer_norm_rms_epsilon': shape.eps,
    'rope.freq_base': layers[0]?.theta ?? 0,
    'rope.dimension_count': shape.rotaryDim ?? shape.headDim,
    vocab_size: vocab,
    expert_count: shape.experts,
    expert_feed_forward_length: shape.width,
  };
  return { 'general.architecture': architecture, ...prefixed(architecture, own) };
}

/** Keys of an architecture. */
export function prefixed(
  architecture: string,
  keys: Readonly<Record<string, Written>>,
): Record<string, Written> {
  return Object.fromEntries(Object.entries(keys).map(([key, value]) => [`${architecture}.${key}`, value]));
}

/** The names outside of layers in GGUF files. */
export const GGUF_OUTER = named({
  'token_embd.weight': 'embedding',
  'output_norm.weight': 'norm',
  'output.weight': 'head',
});

/** The model as a folder. @param config - keys that differ */
export function plainFolder(
  { model, config: usual, stored }: PlainFamily,
  config: Readonly<Record<string, unknown>> = {},
): FolderSource {
  const tensors = placed(model, stored, 'model.layers.').map(
    ({ name, shape, values }) => [name, { shape, values: [...values] }] as const,
  );
  return memoryFolder({
    'config.json': JSON.stringify({ ...usual, ...config }),
    'model.safetensors': f32Safetensors(Object.fromEntries(tensors)),
  });
}

/** The model as a GGUF file. */
export function plainGguf(
  { model, gguf }: PlainFamily,
  metadata: Record<string, Written> = {},
): FolderSource {
  if (!gguf) throw new Error('the family has no GGUF files');
  const tensors = placed(model, gguf, 'blk.').map(({ name, shape, values }) =>
    f32Tensor(name, [...shape].reverse(), values),
  );
  const bytes = ggufBytes({ metadata: { ...gguf.metadata, ...metadata }, tensors });
  return { ...memoryFolder({ 'm.gguf': bytes }), entry: 'm.gguf' };
}

interface Placed {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
}

function placed(model: PlainModel, { outer, layer: inLayer }: Stored, prefix: string): Placed[] {
  return [
    ...outer.map((each) => tensorOf(model, each)),
    ...model.shape.layers.flatMap((_, layer) =>
      inLayer(layer).map((each) => {
        const tensor = tensorOf(model, each, layer);
        return { ...tensor, name: `${prefix}${layer}.${tensor.name}` };
      }),
    ),
  ];
}

function tensorOf(
  model: PlainModel,
  { name, parts, experts, isPaired }: StoredTensor,
  layer?: number,
): Placed {
  const pieces = parts.map((part) => ({ sizes: model.sizes(part), values: model.values(part, layer) }));
  const cols = pieces[0]?.sizes[1] ?? 0;
  const all = pieces.reduce((sum, { sizes }) => sum + sizes[0], 0);
  const values = new Float32Array(all * cols);
  let end = 0;
  for (const piece of pieces) {
    values.set(isPaired ? paired(piece.values, cols, model.shape.headDim) : piece.values, end);
    end += piece.values.length;
  }
  const plain = all === 1 ? [cols] : [all, cols];
  return { name, shape: experts === undefined ? plain : [experts, all / experts, cols], values };
}

/** The converter's order of the rows of q and k. */
function paired(values: Float32Array, cols: number, headDim: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let row = 0; row * cols < values.length; row += 1) {
    const inHead = row % headDim;
    const from = row - inHead + (inHead % 2) * (headDim / 2) + Math.floor(inHead / 2);
    out.set(values.subarray(from * cols, (from + 1) * cols), row * cols);
  }
  return out;
}
