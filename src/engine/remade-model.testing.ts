/** A fixture model with other sizes or numbers, made in memory. Not part of the library. */
import { openCheckpoint } from '../containers/index.ts';
import { safetensorsPieces, type TensorToWrite } from '../containers/safetensors-writer.ts';
import { memoryFolder } from '../io/memory.ts';
import type { FolderSource } from '../io/source.ts';

/** f32 values of a tensor, row-major. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
}

export interface Remake {
  readonly config?: Readonly<Record<string, unknown>>; // keys that replace those of config.json
  /** What becomes of a tensor; the tensor itself where it stays. */
  readonly tensor?: (name: string, tensor: HostTensor) => HostTensor;
  /** The name of a tensor; default: its own. */
  readonly rename?: (name: string) => string;
  /** Of further tensors, which are zero. */
  readonly more?: Readonly<Record<string, readonly number[]>>; // shapes
  /** Makes the whole config of the changed one. */
  readonly wrap?: (config: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
}

/** Reads a folder of f32 tensors, changes it and gives it back as another. */
export async function remadeModel(
  folder: FolderSource,
  { config, tensor, rename = (name) => name, more = {}, wrap = (whole) => whole }: Remake,
): Promise<FolderSource> {
  const checkpoint = await openCheckpoint(folder);
  try {
    const tensors: TensorToWrite[] = [];
    for (const name of checkpoint.names()) {
      const { bytes } = await checkpoint.read(name);
      const shape = checkpoint.tensor(name)?.shape ?? []; // reading makes two dimensions of three
      const values = new Float32Array(bytes.slice().buffer);
      const made = tensor?.(name, { shape, values }) ?? { shape, values };
      tensors.push(toWrite(rename(name), made));
    }
    for (const [name, shape] of Object.entries(more)) {
      const count = shape.reduce((product, size) => product * size, 1);
      tensors.push(toWrite(name, { shape, values: new Float32Array(count) }));
    }
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for await (const piece of safetensorsPieces(tensors)) pieces.push(piece);
    return memoryFolder(
      {
        'config.json': JSON.stringify(wrap({ ...checkpoint.config, ...config })),
        'model.safetensors': new Uint8Array(await new Blob(pieces).arrayBuffer()),
      },
      `${folder.label} remade`,
    );
  } finally {
    checkpoint.dispose();
  }
}

function toWrite(name: string, { shape, values }: HostTensor): TensorToWrite {
  return {
    name,
    dtype: 'F32',
    shape,
    async *pieces() {
      yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    },
  };
}

/** The first rows of a tensor. */
export function firstRows({ shape, values }: HostTensor, rows: number): HostTensor {
  const [all = 1, ...rest] = shape;
  return { shape: [rows, ...rest], values: values.slice(0, (values.length / all) * rows) };
}
