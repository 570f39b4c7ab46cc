/** A checkpoint of llama2.c as a Hugging Face folder, and the program itself in plain loops. Not part of the library. */
import { memoryFolder } from '../io/memory.ts';
import type { FolderSource } from '../io/source.ts';
import { tokenizerFromGguf } from '../text/gguf-tokenizer.ts';
import { attended, normed, product } from './plain-loops.testing.ts';
import { weightFile, type StoredTensors } from './edited-model.testing.ts';

/** The sizes with which a checkpoint begins. */
interface Sizes {
  readonly hidden: number;
  readonly width: number; // of the MLP
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly vocab: number;
  readonly positions: number;
}

/** The matrices of a layer, and its gains. */
interface Layer {
  readonly attentionGain: Float32Array; // [hidden]
  readonly q: Float32Array; // [heads * headDim, hidden]: elements 2i and 2i + 1 of a head are rotated together
  readonly k: Float32Array; // [kvHeads * headDim, hidden]
  readonly v: Float32Array; // [kvHeads * headDim, hidden]
  readonly out: Float32Array; // [hidden, heads * headDim]
  readonly mlpGain: Float32Array; // [hidden]
  readonly gate: Float32Array; // [width, hidden]
  readonly up: Float32Array; // [width, hidden]
  readonly down: Float32Array; // [hidden, width]
}

/** A parsed checkpoint. The embedding is the head, too. */
export interface Llama2c {
  readonly sizes: Sizes;
  readonly embedding: Float32Array; // [vocab, hidden]
  readonly layers: readonly Layer[];
  readonly gain: Float32Array; // [hidden]
}

const HEADER_BYTES = 28;
const EPS = 1e-5;
const THETA = 10_000;

/** Parses a checkpoint: each kind of matrix of all layers, one kind after another. */
export function parseLlama2c(bytes: Uint8Array<ArrayBuffer>): Llama2c {
  const [hidden = 0, width = 0, layers = 0, heads = 0, kvHeads = 0, vocab = 0, positions = 0] =
    new Int32Array(bytes.buffer.slice(0, HEADER_BYTES));
  const values = new Float32Array(bytes.buffer.slice(HEADER_BYTES));
  let at = 0;
  const take = (size: number) => values.subarray(at, (at += size));
  const takeEach = (size: number) => Array.from({ length: layers }, () => take(size));
  const headDim = hidden / heads;
  const embedding = take(vocab * hidden);
  const kinds = {
    attentionGain: takeEach(hidden),
    q: takeEach(hidden * hidden),
    k: takeEach(kvHeads * headDim * hidden),
    v: takeEach(kvHeads * headDim * hidden),
    out: takeEach(hidden * hidden),
    mlpGain: takeEach(hidden),
    gate: takeEach(width * hidden),
    down: takeEach(hidden * width),
    up: takeEach(width * hidden),
  };
  const layerAt = (layer: number) =>
    Object.fromEntries(Object.entries(kinds).map(([kind, each]) => [kind, each[layer]])) as unknown as Layer;
  return {
    sizes: { hidden, width, layers, heads, kvHeads, vocab, positions },
    embedding,
    layers: Array.from({ length: layers }, (_, layer) => layerAt(layer)),
    gain: take(hidden),
  };
}

/** The checkpoint and its vocabulary as a folder of the family `llama`. */
export async function llama2cFolder(
  model: Llama2c,
  vocabulary: Uint8Array<ArrayBuffer>,
): Promise<FolderSource> {
  const { hidden, width, layers, heads, kvHeads, vocab, positions } = model.sizes;
  const config = {
    model_type: 'llama',
    hidden_size: hidden,
    intermediate_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    vocab_size: vocab,
    max_position_embeddings: positions,
    rms_norm_eps: EPS,
    rope_theta: THETA,
    hidden_act: 'silu',
    tie_word_embeddings: true,
    bos_token_id: 1,
    eos_token_id: 2,
  };
  const { tokenizerJson, tokenizerConfig } = tokenizerOf(vocabulary, vocab);
  return memoryFolder(
    {
      'config.json': JSON.stringify(config),
      'model.safetensors': await weightFile(tensorsOf(model)),
      'tokenizer.json': JSON.stringify(tokenizerJson),
      'tokenizer_config.json': JSON.stringify(tokenizerConfig),
    },
    'llama2.c',
  );
}

function tensorsOf({ sizes, embedding, layers, gain }: Llama2c): StoredTensors {
  const { hidden, width, heads, kvHeads } = sizes;
  const headDim = hidden / heads;
  const tensors: StoredTensors = new Map();
  const add = (name: string, shape: readonly number[], values: Float32Array) =>
    tensors.set(name, { dtype: 'F32', shape, bytes: new Uint8Array(values.slice().buffer) });
  add('model.embed_tokens.weight', [sizes.vocab, hidden], embedding);
  add('model.norm.weight', [hidden], gain);
  for (const [index, layer] of layers.entries()) {
    const at = `model.layers.${index}.`;
    add(`${at}input_layernorm.weight`, [hidden], layer.attentionGain);
    add(`${at}self_attn.q_proj.weight`, [hidden, hidden], inHalves(layer.q, headDim, hidden));
    add(`${at}self_attn.k_proj.weight`, [kvHeads * headDim, hidden], inHalves(layer.k, headDim, hidden));
    add(`${at}self_attn.v_proj.weight`, [kvHeads * headDim, hidden], layer.v);
    add(`${at}self_attn.o_proj.weight`, [hidden, hidden], layer.out);
    add(`${at}post_attention_layernorm.weight`, [hidden], layer.mlpGain);
    add(`${at}mlp.gate_proj.weight`, [width, hidden], layer.gate);
    add(`${at}mlp.up_proj.weight`, [width, hidden], layer.up);
    add(`${at}mlp.down_proj.weight`, [hidden, width], layer.down);
  }
  return tensors;
}

/** Hugging Face rotates row i of a head with row i + headDim / 2, llama2.c row 2i with row 2i + 1. */
function inHalves(values: Float32Array, headDim: number, cols: number): Float32Array {
  const out = new Float32Array(values.length);
  const half = headDim / 2;
  for (let row = 0; row * cols < values.length; row += 1) {
    const inHead = row % headDim;
    const from = row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
    out.set(values.subarray(from * cols, (from + 1) * cols), row * cols);
  }
  return out;
}

const SPACE = '\u2581';

/** A vocabulary of SentencePiece: `<unk>`, `<s>`, `</s>`, 256 bytes, then pieces with their scores. */
function tokenizerOf(vocabulary: Uint8Array<ArrayBuffer>, count: number) {
  const view = new DataView(vocabulary.buffer, vocabulary.byteOffset);
  const tokens: string[] = [];
  const scores: number[] = [];
  for (let at = 4; tokens.length < count;) {
    const sizeBytes = view.getInt32(at + 4, true);
    scores.push(view.getFloat32(at, true));
    tokens.push(new TextDecoder().decode(vocabulary.subarray(at + 8, at + 8 + sizeBytes)));
    at += 8 + sizeBytes;
  }
  const types = tokens.map((_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1));
  const files = tokenizerFromGguf(
    new Map<string, string | number | boolean | string[] | number[]>([
      ['tokenizer.ggml.model', 'llama'],
      [
        'tokenizer.ggml.tokens',
        tokens.map((token) =>
          token.trim() === '<s>' || token.trim() === '</s>' ? token.trim() : token.replaceAll(' ', SPACE),
        ),
      ],
      ['tokenizer.ggml.scores', scores],
      ['tokenizer.ggml.token_type', types],
      ['tokenizer.ggml.bos_token_id', 1],
      ['tokenizer.ggml.eos_token_id', 2],
    ]),
  );
  if (!files) throw new Error('no tokenizer');
  return files;
}

/** Pairs of neighbours, by position * theta^(-i / headDim). */
function rotated(x: readonly number[], headDim: number, position: number): number[] {
  const out = [...x];
  for (let i = 0; i < x.length; i += 2) {
    const angle = position * THETA ** (-(i % headDim) / headDim);
    const [a = 0, b = 0] = [x[i], x[i + 1]];
    out[i] = a * Math.cos(angle) - b * Math.sin(angle);
    out[i + 1] = a * Math.sin(angle) + b * Math.cos(angle);
  }
  return out;
}

/** Runs a checkpoint as llama2.c does, one token at a time, in f64. */
export class PlainLlama {
  readonly #model: Llama2c;
  readonly #keys: number[][][]; // [layer][position]
  readonly #values: number[][][];

  constructor(model: Llama2c) {
    this.#model = model;
    this.#keys = model.layers.map(() => []);
    this.#values = model.layers.map(() => []);
  }

  /** The logits after the next token. */
  step(id: number): number[] {
    const { sizes, embedding, layers, gain } = this.#model;
    const { hidden } = sizes;
    let x: number[] = [...embedding.subarray(id * hidden, (id + 1) * hidden)];
    const add = (y: readonly number[]) => (x = x.map((value, i) => value + (y[i] ?? 0)));
    for (const [index, layer] of layers.entries()) {
      add(product(layer.out, this.#attend(index, normed(x, layer.attentionGain, EPS))));
      const inner = normed(x, layer.mlpGain, EPS);
      const up = product(layer.up, inner);
      const gated = product(layer.gate, inner).map((g, i) => (g / (1 + Math.exp(-g))) * (up[i] ?? 0));
      add(product(layer.down, gated));
    }
    return product(embedding, normed(x, gain, EPS));
  }

  #attend(index: number, x: readonly number[]): number[] {
    const layer = this.#model.layers[index];
    const keys = this.#keys[index];
    const values = this.#values[index];
    if (!layer || !keys || !values) throw new Error(`no layer ${index}`);
    const { hidden, heads, kvHeads } = this.#model.sizes;
    const headDim = hidden / heads;
    const position = keys.length;
    keys.push(rotated(product(layer.k, x), headDim, position));
    values.push(product(layer.v, x));
    return attended(rotated(product(layer.q, x), headDim, position), { keys, values, heads, kvHeads });
  }
}
