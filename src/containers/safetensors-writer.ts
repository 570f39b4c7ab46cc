/** Writes the safetensors container as a stream: the header first, then tensor by tensor. */
import { AtomoeError, invariant } from '../errors.ts';
import { rowCount, type Checkpoint } from './checkpoint.ts';
import { DTYPE_BYTES, isBlockDtype, type Dtype } from '../weights/dtypes.ts';

/** A tensor, and what writes its bytes. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Its bytes, little-endian, row-major, in pieces of any size. */
  pieces(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** Readers map the data into memory: it begins at a multiple of this. */
const ALIGNMENT = 8;

/** A piece of this size amortises its read; no more than one is held at a time. */
const PIECE_BYTES = 16 * 1024 * 1024;

/** How many bytes the file will have. */
export function safetensorsSize(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = {},
): number {
  return tensors.reduce(
    (sum, tensor) => sum + sizeBytesOf(tensor),
    encodeHeader(tensors, metadata).byteLength,
  );
}

/** The file's bytes in order. A tensor is asked for its pieces when its turn has come. */
export async function* safetensorsPieces(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = {},
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield encodeHeader(tensors, metadata);
  for (const tensor of tensors) {
    let leftBytes = sizeBytesOf(tensor);
    for await (const piece of tensor.pieces()) {
      leftBytes -= piece.byteLength;
      yield piece;
    }
    invariant(leftBytes === 0, () => `tensor ${tensor.name}: ${leftBytes} bytes of it did not come`);
  }
}

/** A tensor of a checkpoint as it is, to be read while it is written. */
export function copyTensor(
  checkpoint: Checkpoint,
  name: string,
  { signal, pieceBytes = PIECE_BYTES }: { signal?: AbortSignal | undefined; pieceBytes?: number } = {},
): TensorToWrite {
  const info = checkpoint.tensor(name);
  invariant(info, () => `no tensor ${name} to copy`);
  const { dtype, shape, sizeBytes } = info;
  if (isBlockDtype(dtype)) {
    throw new AtomoeError(
      'unsupported-model',
      `${info.file}: tensor "${name}" is ${dtype}, which safetensors has not; the file streams as it is; for a copy of it choose a 16-bit version`,
    );
  }
  const rows = rowCount(shape);
  const step = Math.max(1, Math.floor((pieceBytes * rows) / Math.max(1, sizeBytes)));
  return {
    name,
    dtype,
    shape,
    async *pieces() {
      for (let rowStart = 0; rowStart < rows; rowStart += step) {
        const count = Math.min(step, rows - rowStart);
        yield (await checkpoint.read(name, { rowStart, rowCount: count, signal })).bytes;
      }
    },
  };
}

function encodeHeader(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  let endBytes = 0;
  const entries = tensors.map((tensor) => {
    const beginBytes = endBytes;
    endBytes += sizeBytesOf(tensor);
    const { name, dtype, shape } = tensor;
    return [name, { dtype, shape, data_offsets: [beginBytes, endBytes] }] as const;
  });
  const own = Object.keys(metadata).length === 0 ? [] : [['__metadata__', metadata] as const];
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries([...own, ...entries])));
  const textBytes = Math.ceil(text.byteLength / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(8 + textBytes).fill(0x20); // padded with spaces, as the format allows
  new DataView(bytes.buffer).setBigUint64(0, BigInt(textBytes), true);
  bytes.set(text, 8);
  return bytes;
}

function sizeBytesOf({ dtype, shape }: TensorToWrite): number {
  return shape.reduce((product, size) => product * size, DTYPE_BYTES[dtype]);
}
