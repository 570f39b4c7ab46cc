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
}

/** Reads a folder of f32 tensors, changes it and gives it back as another. */
export async function remadeModel(folder: FolderSource, { config, tensor }: Remake): Promise<FolderSource> {
  const checkpoint = await openCheckpoint(folder);
  try {
    const tensors: TensorToWrite[] = [];
    for (const name of checkpoint.names()) {
      const { bytes } = await checkpoint.read(name);
      const shape = checkpoint.tensor(name)?.shape ?? []; // reading makes two dimensions of three
      const values = new Float32Array(bytes.slice().buffer);
      const made = tensor?.(name, { shape, values }) ?? { shape, values };
      tensors.push({
        name,
        dtype: 'F32',
        shape: made.shape,
        async *pieces() {
          yield new Uint8Array(made.values.buffer, made.values.byteOffset, made.values.byteLength);
        },
      });
    }
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for await (const piece of safetensorsPieces(tensors)) pieces.push(piece);
    return memoryFolder(
      {
        'config.json': JSON.stringify({ ...checkpoint.config, ...config }),
        'model.safetensors': new Uint8Array(await new Blob(pieces).arrayBuffer()),
      },
      `${folder.label} remade`,
    );
  } finally {
    checkpoint.dispose();
  }
}

/** The first rows of a tensor. */
export function firstRows({ shape, values }: HostTensor, rows: number): HostTensor {
  const [all = 1, ...rest] = shape;
  return { shape: [rows, ...rest], values: values.slice(0, (values.length / all) * rows) };
}
