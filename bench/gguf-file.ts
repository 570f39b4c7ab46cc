/** The form of GGUF files: what stands before the tensors' data. */

const ALIGNMENT = 32;

/** A tensor as the header names it. */
export interface GgufTensorInfo {
  readonly name: string;
  readonly dims: readonly number[]; // the fastest first
  readonly typeNumber: number; // ggml_type
  readonly sizeBytes: number;
}

/** A value of the metadata, with its type. */
export type GgufValue =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly i32s: readonly number[] }
  | { readonly f32s: readonly number[] };

/** Little-endian, growing. */
class Writer {
  readonly parts: Uint8Array<ArrayBuffer>[] = [];
  sizeBytes = 0;

  bytes(bytes: Uint8Array<ArrayBuffer>): void {
    this.parts.push(bytes);
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

  #number(sizeBytes: number, write: (view: DataView) => void): void {
    const view = new DataView(new ArrayBuffer(sizeBytes));
    write(view);
    this.bytes(new Uint8Array(view.buffer));
  }
}

function writeValue(out: Writer, value: GgufValue): void {
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

/** Bytes from the end of a tensor's data to the beginning of the next one's. */
export function paddingBytes(sizeBytes: number): number {
  return (ALIGNMENT - (sizeBytes % ALIGNMENT)) % ALIGNMENT;
}

/** The file up to the data of its first tensor; the tensors follow in their order, each with its padding. */
export function ggufHeader(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensorInfo[],
): Uint8Array<ArrayBuffer>[] {
  const out = new Writer();
  out.bytes(new TextEncoder().encode('GGUF'));
  out.u32(3);
  out.u64(tensors.length);
  out.u64(Object.keys(metadata).length);
  for (const [name, value] of Object.entries(metadata)) {
    out.text(name);
    writeValue(out, value);
  }
  let offset = 0;
  for (const { name, dims, typeNumber, sizeBytes } of tensors) {
    out.text(name);
    out.u32(dims.length);
    for (const size of dims) out.u64(size);
    out.u32(typeNumber);
    out.u64(offset);
    offset += sizeBytes + paddingBytes(sizeBytes);
  }
  out.bytes(new Uint8Array(paddingBytes(out.sizeBytes)));
  return out.parts;
}

/** A vocabulary that spells every text byte by byte: three special tokens, the bytes of ASCII (others alone are no text), and words that no prompt has. */
export function byteVocabulary(vocab: number): Record<string, GgufValue> {
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
