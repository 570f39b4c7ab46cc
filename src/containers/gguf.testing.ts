/** Writes GGUF files for tests. */
import { memoryFile } from '../io/memory.ts';
import { readGgufHeader, type GgufValue } from './gguf/header.ts';

/** A value with its type where the default would be another: whole numbers are u32, in lists i32, others f32. */
export type Written = GgufValue | { readonly type: 'u64' | 'i32' | 'f64' | 'u8'; readonly value: number };

/** A tensor with its bytes; the first dimension is the row's, as in the file. */
export interface WrittenTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: number; // ggml's
  readonly bytes: Uint8Array;
  readonly offsetBytes?: number; // of the data, instead of the next that is free
}

/** What a file consists of. */
export interface GgufContents {
  readonly metadata: Readonly<Record<string, Written>> | readonly (readonly [string, Written])[];
  readonly tensors?: readonly WrittenTensor[];
  readonly version?: number;
  readonly alignment?: number;
}

const TYPE_NUMBERS = { u8: 0, u32: 4, i32: 5, f32: 6, bool: 7, text: 8, list: 9, u64: 10, f64: 12 } as const;

class Writer {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  put(sizeBytes: number, write: (view: DataView) => void): void {
    const view = new DataView(new ArrayBuffer(sizeBytes));
    write(view);
    for (let i = 0; i < sizeBytes; i += 1) this.#bytes.push(view.getUint8(i));
  }

  u32(value: number): void {
    this.put(4, (view) => view.setUint32(0, value, true));
  }

  u64(value: number): void {
    this.put(8, (view) => view.setBigUint64(0, BigInt(value), true));
  }

  text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.u64(bytes.length);
    for (const byte of bytes) this.#bytes.push(byte);
  }

  value(value: Written, type = typeOf(value)): void {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) {
      const list = value as readonly GgufValue[];
      const first = list.every((each) => typeof each === 'number' && Number.isInteger(each))
        ? 'i32'
        : typeOf(list[0] ?? 0);
      this.u32(TYPE_NUMBERS[first]);
      this.u64(list.length);
      for (const each of list) this.value(each, first);
      return;
    }
    const number = typeof value === 'object' ? (value as { value: number }).value : Number(value);
    if (type === 'u8' || type === 'bool') this.put(1, (view) => view.setUint8(0, number));
    else if (type === 'u64') this.u64(number);
    else if (type === 'i32') this.put(4, (view) => view.setInt32(0, number, true));
    else if (type === 'f64') this.put(8, (view) => view.setFloat64(0, number, true));
    else if (type === 'f32') this.put(4, (view) => view.setFloat32(0, number, true));
    else this.u32(number);
  }

  align(multiple: number): void {
    while (this.#bytes.length % multiple !== 0) this.#bytes.push(0);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes);
  }
}

function typeOf(value: Written): keyof typeof TYPE_NUMBERS {
  if (typeof value === 'string') return 'text';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'u32' : 'f32';
  if (Array.isArray(value)) return 'list';
  return (value as { type: 'u64' }).type;
}

/** The bytes of a GGUF file. */
export function ggufBytes({
  metadata,
  tensors = [],
  version = 3,
  alignment = 32,
}: GgufContents): Uint8Array<ArrayBuffer> {
  const pairs = Array.isArray(metadata)
    ? (metadata as readonly (readonly [string, Written])[])
    : Object.entries(metadata as Readonly<Record<string, Written>>);
  const header = new Writer();
  header.u32(0x46554747);
  header.u32(version);
  header.u64(tensors.length);
  header.u64(pairs.length);
  for (const [key, value] of pairs) {
    header.text(key);
    header.u32(TYPE_NUMBERS[typeOf(value)]);
    header.value(value);
  }
  let end = 0;
  const places: number[] = [];
  for (const { name, dims, type, bytes, offsetBytes = Math.ceil(end / alignment) * alignment } of tensors) {
    header.text(name);
    header.u32(dims.length);
    for (const size of dims) header.u64(size);
    header.u32(type);
    header.u64(offsetBytes);
    places.push(offsetBytes);
    end = Math.max(end, offsetBytes + bytes.byteLength);
  }
  header.align(alignment);
  const start = header.bytes();
  const whole = new Uint8Array(start.length + end);
  whole.set(start);
  for (const [index, { bytes }] of tensors.entries()) whole.set(bytes, start.length + (places[index] ?? 0));
  return whole;
}

/** What becomes of a file. */
export interface GgufEdits {
  readonly metadata?: Readonly<Record<string, Written | undefined>>; // keys that are replaced; undefined: left out
  readonly tensors?: (tensors: readonly WrittenTensor[]) => readonly WrittenTensor[];
}

/** A file of F32 tensors with other metadata or tensors. */
export async function editedGguf(
  bytes: Uint8Array<ArrayBuffer>,
  edits: GgufEdits,
): Promise<Uint8Array<ArrayBuffer>> {
  const { metadata, tensors } = await readGgufHeader(memoryFile('m.gguf', bytes));
  const written = [...tensors].map(([name, { dtype, shape, offsetBytes, sizeBytes }]) => {
    if (dtype !== 'F32') throw new Error(`${name} is ${dtype}`);
    return {
      name,
      dims: [...shape].reverse(),
      type: 0,
      bytes: bytes.subarray(offsetBytes, offsetBytes + sizeBytes),
    };
  });
  const pairs = Object.entries({ ...Object.fromEntries(metadata), ...edits.metadata });
  return ggufBytes({
    metadata: pairs.filter((pair): pair is [string, Written] => pair[1] !== undefined),
    tensors: edits.tensors?.(written) ?? written,
  });
}

/** A tensor of F32. */
export function f32Tensor(name: string, dims: readonly number[], values: Float32Array): WrittenTensor {
  return { name, dims, type: 0, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}
