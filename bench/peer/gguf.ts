/** The model as a GGUF file of the architecture `llama`, for llama.cpp: the same 4-bit values in its own blocks (Q4_0). */
import { f32ToF16 } from '../../src/weights/half.ts';
import { BLOCK, dequantize, type ModelWeights, type Q4Matrix } from './model.ts';

const ALIGNMENT = 32;
const TYPES = { f32: 0, q4_0: 2 } as const; // ggml_type

interface Tensor {
  readonly name: string;
  readonly dims: readonly number[]; // the fastest first
  readonly type: keyof typeof TYPES;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Blocks of 18 bytes: an f16 scale, then weight j in the low half of byte j and weight j + 16 in its high half. */
function q4_0(matrix: Q4Matrix): Uint8Array<ArrayBuffer> {
  const { quants, scales } = matrix;
  const bytes = new Uint8Array(scales.length * 18);
  const view = new DataView(bytes.buffer);
  const quant = (index: number) => ((quants[index >> 1] ?? 0) >> (index % 2 === 0 ? 0 : 4)) & 15;
  for (const [block, scale] of scales.entries()) {
    const at = block * 18;
    view.setUint16(at, f32ToF16(scale), true);
    for (let j = 0; j < BLOCK / 2; j += 1)
      bytes[at + 2 + j] = quant(block * BLOCK + j) | (quant(block * BLOCK + BLOCK / 2 + j) << 4);
  }
  return bytes;
}

function matrix(name: string, one: Q4Matrix): Tensor {
  return { name: `${name}.weight`, dims: [one.cols, one.rows], type: 'q4_0', bytes: q4_0(one) };
}

function stacked(name: string, list: readonly Q4Matrix[]): Tensor {
  const parts = list.map(q4_0);
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  const [first] = list;
  const dims = [first?.cols ?? 0, first?.rows ?? 0, list.length];
  return { name: `${name}.weight`, dims, type: 'q4_0', bytes };
}

function floats(name: string, values: Float32Array, dims: readonly number[]): Tensor {
  return { name: `${name}.weight`, dims, type: 'f32', bytes: new Uint8Array(values.slice().buffer) };
}

function tensors({ embedding, layers, norm, head }: ModelWeights): Tensor[] {
  const vector = (name: string, values: Float32Array) => floats(name, values, [values.length]);
  const list = [matrix('token_embd', embedding), vector('output_norm', norm), matrix('output', head)];
  for (const [index, layer] of layers.entries()) {
    const at = `blk.${index}`;
    const { router, experts } = layer;
    list.push(
      vector(`${at}.attn_norm`, layer.attentionNorm),
      matrix(`${at}.attn_q`, layer.q),
      matrix(`${at}.attn_k`, layer.k),
      matrix(`${at}.attn_v`, layer.v),
      matrix(`${at}.attn_output`, layer.o),
      vector(`${at}.ffn_norm`, layer.mlpNorm),
      floats(`${at}.ffn_gate_inp`, dequantize(router, 0, router.rows * router.cols), [
        router.cols,
        router.rows,
      ]),
      stacked(
        `${at}.ffn_gate_exps`,
        experts.map(({ gate }) => gate),
      ),
      stacked(
        `${at}.ffn_up_exps`,
        experts.map(({ up }) => up),
      ),
      stacked(
        `${at}.ffn_down_exps`,
        experts.map(({ down }) => down),
      ),
    );
  }
  return list;
}

/** Little-endian, growing. */
class Writer {
  readonly #parts: Uint8Array[] = [];
  sizeBytes = 0;

  bytes(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.sizeBytes += bytes.byteLength;
  }

  u32(value: number): void {
    this.#number(4, (view) => view.setUint32(0, value, true));
  }

  u64(value: number): void {
    this.#number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  }

  f32(value: number): void {
    this.#number(4, (view) => view.setFloat32(0, value, true));
  }

  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u64(bytes.byteLength);
    this.bytes(bytes);
  }

  pad(): void {
    this.bytes(new Uint8Array((ALIGNMENT - (this.sizeBytes % ALIGNMENT)) % ALIGNMENT));
  }

  #number(sizeBytes: number, write: (view: DataView) => void): void {
    const view = new DataView(new ArrayBuffer(sizeBytes));
    write(view);
    this.bytes(new Uint8Array(view.buffer));
  }

  get parts(): Uint8Array<ArrayBuffer>[] {
    return this.#parts as Uint8Array<ArrayBuffer>[];
  }
}

type Value =
  | { u32: number }
  | { f32: number }
  | { text: string }
  | { texts: string[] }
  | { i32s: number[] }
  | { f32s: number[] };

function writeValue(out: Writer, value: Value): void {
  const list = (type: number, count: number, each: (index: number) => void) => {
    out.u32(9);
    out.u32(type);
    out.u64(count);
    for (let index = 0; index < count; index += 1) each(index);
  };
  if ('u32' in value) {
    out.u32(4);
    out.u32(value.u32);
  } else if ('f32' in value) {
    out.u32(6);
    out.f32(value.f32);
  } else if ('text' in value) {
    out.u32(8);
    out.text(value.text);
  } else if ('texts' in value) list(8, value.texts.length, (index) => out.text(value.texts[index] ?? ''));
  else if ('i32s' in value) list(5, value.i32s.length, (index) => out.u32(value.i32s[index] ?? 0));
  else list(6, value.f32s.length, (index) => out.f32(value.f32s[index] ?? 0));
}

/** A vocabulary that spells every text byte by byte: three special tokens, the bytes of ASCII (others alone are no text), and words that no prompt has. */
function vocabulary(vocab: number): Record<string, Value> {
  const tokens = ['<unk>', '<s>', '</s>'];
  const types = [2, 3, 3];
  for (let byte = 0; byte < 128; byte += 1) {
    tokens.push(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    types.push(6);
  }
  tokens.push('\u2581'); // the space that llama.cpp puts before a text
  types.push(1);
  while (tokens.length < vocab) {
    tokens.push(`\u2581unused${tokens.length}`);
    types.push(1);
  }
  return {
    'tokenizer.ggml.model': { text: 'llama' },
    'tokenizer.ggml.tokens': { texts: tokens },
    'tokenizer.ggml.scores': { f32s: tokens.map((_, id) => -id) },
    'tokenizer.ggml.token_type': { i32s: types },
    'tokenizer.ggml.bos_token_id': { u32: 1 },
    'tokenizer.ggml.eos_token_id': { u32: 2 },
    'tokenizer.ggml.unknown_token_id': { u32: 0 },
  };
}

/** The parts of the file, in order. */
export function ggufModel(weights: ModelWeights): Uint8Array<ArrayBuffer>[] {
  const { shape } = weights;
  const own: Record<string, Value> = {
    'general.architecture': { text: 'llama' },
    'general.name': { text: 'generated Q4 model' },
    'general.file_type': { u32: 2 },
    'llama.vocab_size': { u32: shape.vocab },
    'llama.context_length': { u32: shape.contextTokens },
    'llama.embedding_length': { u32: shape.hidden },
    'llama.block_count': { u32: shape.layers },
    'llama.feed_forward_length': { u32: shape.ffn },
    'llama.attention.head_count': { u32: shape.heads },
    'llama.attention.head_count_kv': { u32: shape.kvHeads },
    'llama.attention.key_length': { u32: shape.headDim },
    'llama.attention.value_length': { u32: shape.headDim },
    'llama.attention.layer_norm_rms_epsilon': { f32: shape.eps },
    'llama.rope.dimension_count': { u32: shape.headDim },
    'llama.rope.freq_base': { f32: shape.theta },
    'llama.expert_count': { u32: shape.experts },
    'llama.expert_used_count': { u32: shape.topK },
    ...vocabulary(shape.vocab),
  };
  const list = tensors(weights);
  const out = new Writer();
  out.bytes(new TextEncoder().encode('GGUF'));
  out.u32(3);
  out.u64(list.length);
  out.u64(Object.keys(own).length);
  for (const [name, value] of Object.entries(own)) {
    out.text(name);
    writeValue(out, value);
  }
  let offset = 0;
  for (const { name, dims, type, bytes } of list) {
    out.text(name);
    out.u32(dims.length);
    for (const size of dims) out.u64(size);
    out.u32(TYPES[type]);
    out.u64(offset);
    offset += Math.ceil(bytes.byteLength / ALIGNMENT) * ALIGNMENT;
  }
  out.pad();
  for (const { bytes } of list) {
    out.bytes(bytes);
    out.pad();
  }
  return out.parts;
}
