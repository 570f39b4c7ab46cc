/** A fixture model as another tool would have saved it, made in memory. Not part of the library. */
import { openCheckpoint } from '../containers/index.ts';
import { DTYPE_BYTES, isBlockDtype, toF32, type Dtype } from '../weights/dtypes.ts';
import { f32ArrayToBf16, f32ArrayToF16 } from '../weights/half.ts';
import { safetensorsPieces } from '../containers/safetensors-writer.ts';
import { memoryFolder } from '../io/memory.ts';
import type { FolderSource } from '../io/source.ts';

export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export type StoredTensors = Map<string, StoredTensor>;

export interface Edits {
  readonly config?: Readonly<Record<string, unknown>>; // keys that replace those of config.json; undefined: left out
  readonly tensors?: (tensors: StoredTensors) => void;
  readonly files?: Readonly<Record<string, string>>; // beside the others
}

/** Reads a folder, edits what was read and gives it back as another. */
export async function editedModel(folder: FolderSource, edits: Edits): Promise<FolderSource> {
  const checkpoint = await openCheckpoint(folder);
  try {
    const tensors: StoredTensors = new Map();
    for (const name of checkpoint.names()) {
      const { dtype, bytes } = await checkpoint.read(name);
      if (isBlockDtype(dtype)) throw new Error(`${name} is ${dtype}`);
      tensors.set(name, { dtype, bytes, shape: checkpoint.tensor(name)?.shape ?? [] });
    }
    edits.tensors?.(tensors);
    return memoryFolder(
      {
        'config.json': JSON.stringify({ ...checkpoint.config, ...edits.config }),
        'model.safetensors': await weightFile(tensors),
        ...edits.files,
      },
      'edited',
    );
  } finally {
    checkpoint.dispose();
  }
}

export async function weightFile(tensors: StoredTensors): Promise<Uint8Array<ArrayBuffer>> {
  const list = [...tensors].map(([name, { dtype, shape, bytes }]) => ({
    name,
    dtype,
    shape,
    async *pieces() {
      yield bytes;
    },
  }));
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of safetensorsPieces(list)) pieces.push(piece);
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

export function zeros(dtype: Dtype, ...shape: number[]): StoredTensor {
  const elements = shape.reduce((product, size) => product * size, 1);
  return { dtype, shape, bytes: new Uint8Array(elements * DTYPE_BYTES[dtype]) };
}

/** Takes a tensor out of the file. */
export function take(tensors: StoredTensors, name: string): StoredTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`the fixture has no ${name}`);
  tensors.delete(name);
  return tensor;
}

/** Renames what a pattern matches. */
export function rename(tensors: StoredTensors, pattern: RegExp, to: string): void {
  for (const name of [...tensors.keys()]) {
    if (pattern.test(name)) tensors.set(name.replace(pattern, to), take(tensors, name));
  }
}

/** Stacks tensors of one shape along a new first dimension, and joins the second one of those given together. */
export function fuse(groups: readonly (readonly StoredTensor[])[]): StoredTensor {
  const [[first] = []] = groups;
  if (!first) throw new Error('nothing to fuse');
  const rows = groups[0]?.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0) ?? 0;
  const parts = groups.flat().map(({ bytes }) => bytes);
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return { dtype: first.dtype, shape: [groups.length, rows, first.shape[1] ?? 0], bytes };
}

/** Experts of three tensors each become the two that transformers 5 keeps in memory. */
export function fuseExperts(
  tensors: StoredTensors,
  block: string,
  experts: number,
  names: readonly [gate: string, up: string, down: string] = ['gate_proj', 'up_proj', 'down_proj'],
): void {
  const [gate, up, down] = names;
  const all = Array.from(
    { length: experts },
    (_, e) => (name: string) => take(tensors, `${block}experts.${e}.${name}.weight`),
  );
  tensors.set(`${block}experts.gate_up_proj`, fuse(all.map((of) => [of(gate), of(up)])));
  tensors.set(`${block}experts.down_proj`, fuse(all.map((of) => [of(down)])));
}

/** An f32 tensor with its values rounded to bf16 or f16, stored as that or as f32. */
export function rounded(tensor: StoredTensor, to: 'BF16' | 'F16', as: 'F32' | 'BF16' | 'F16'): StoredTensor {
  const values = new Float32Array(tensor.bytes.slice().buffer);
  const halves = to === 'BF16' ? f32ArrayToBf16(values) : f32ArrayToF16(values);
  const bytes = new Uint8Array(halves.buffer);
  if (as === to) return { dtype: to, shape: tensor.shape, bytes };
  if (as !== 'F32') throw new Error(`${to} as ${as} is not exact`);
  return { dtype: 'F32', shape: tensor.shape, bytes: new Uint8Array(toF32(to, bytes).buffer) };
}
