/** Tensors of one file or of several, read by rows. */
import { AtomoeError } from '../errors.ts';
import { readExactly, unrangedBytes } from '../io/read.ts';
import type { FileSource } from '../io/source.ts';
import { findNonFinite, isWeightDtype, toF32 } from '../weights/dtypes.ts';
import { storedToF32 } from '../weights/matrix.ts';
import {
  noTensor,
  rowCount,
  type Checkpoint,
  type LostTensor,
  type ReadyRecords,
  type TensorBytes,
  type TensorInfo,
  type TensorReadOptions,
} from './checkpoint.ts';
import type { Configs } from './container.ts';

interface WeightFile {
  readonly source: FileSource;
  readonly header: { readonly metadata: Readonly<Record<string, string>> };
}

/** A tensor, and the file that holds it. */
export interface HeldTensor {
  readonly info: TensorInfo;
  readonly source: FileSource;
  /** Which row of the file holds a row of the tensor; default: the same. */
  readonly rowOrder?: (row: number) => number;
  /** Makes the values of others, which it reads by name. */
  readonly derive?: (
    read: (name: string, options?: TensorReadOptions) => Promise<Float32Array>,
  ) => Promise<Float32Array<ArrayBuffer>>;
  /** Makes the bytes of rows from those of other tensors; `info.sizeBytes` is what all rows have then. */
  readonly compose?: (rows: RowRange, read: ReadPart) => Promise<Uint8Array<ArrayBuffer>>;
}

/** Rows `[start, start + count)` of a tensor. */
export interface RowRange {
  readonly start: number;
  readonly count: number;
}

/** Reads rows of a tensor as the file has them, by default all. */
export type ReadPart = (part: HeldTensor, rows?: RowRange) => Promise<Uint8Array<ArrayBuffer>>;

/** Weight files, and their tensors by name. */
export interface OpenedTensors {
  readonly files: readonly WeightFile[];
  readonly byName: ReadonlyMap<string, HeldTensor>;
  readonly lost: ReadonlyMap<string, LostTensor>;
  /** Names that are not listed: a model may use these tensors or not. */
  readonly unlisted?: ReadonlySet<string>;
  readonly expanded?: string; // as of `Checkpoint`
}

/** Makes weights of the tensors that a quantised file has instead. */
export type Quantization = (opened: OpenedTensors, label: string) => OpenedTensors;

/** A checkpoint of tensors in files, and of records beside them where there are any. */
export function checkpointOf(
  label: string,
  { config, generationConfig }: Configs,
  { files: weightFiles, byName, lost, unlisted, expanded }: OpenedTensors,
  records?: ReadyRecords,
): Checkpoint {
  const files = [
    ...weightFiles.map(({ source: { name, sizeBytes } }) => ({ name, sizeBytes })),
    ...(records?.files ?? []),
  ];
  const read = async (name: string, options: TensorReadOptions = {}): Promise<TensorBytes> => {
    const found = byName.get(name);
    if (!found) throw noTensor(label, name, lost.get(name), byName.size);
    if (found.derive) {
      const { signal } = options;
      const values = await found.derive((part) => readF32(part, { signal }));
      return readDerived(found.info, values, options);
    }
    if (found.compose) return readComposed(found, found.compose, options);
    return found.rowOrder ? readOrdered(found, found.rowOrder, options) : readTensor(found, options);
  };
  const readF32 = async (name: string, options?: TensorReadOptions) => {
    const { dtype, shape, bytes } = await read(name, options);
    if (isWeightDtype(dtype)) return storedToF32(dtype, bytes, rowCount(shape), shape.at(-1) ?? 1);
    if (dtype === 'F64') return toF32(dtype, bytes);
    throw new AtomoeError(
      'unsupported-model',
      `${label}: tensor "${name}" is ${dtype}, F16, BF16 or F32 is wanted; choose a 16-bit version of the model`,
    );
  };
  return {
    label,
    config,
    generationConfig,
    metadata: weightFiles[0]?.header.metadata ?? {},
    files,
    totalBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    unrangedBytes: unrangedBytes(weightFiles.map(({ source }) => source)) + (records?.unrangedBytes ?? 0),
    ...(records ? { records } : {}),
    ...(expanded === undefined ? {} : { expanded }),
    *names() {
      for (const name of byName.keys()) if (!unlisted?.has(name)) yield name;
    },
    tensor: (name) => byName.get(name)?.info,
    readsRows: (name) => {
      const { derive, compose, rowOrder } = byName.get(name) ?? { derive: true };
      return !derive && !compose && !rowOrder;
    },
    lost,
    read,
    readF32,
    dispose() {
      for (const { source } of weightFiles) source.dispose?.();
      records?.dispose();
    },
  };
}

/** Takes the wanted rows of values. */
function readDerived(
  { shape }: TensorInfo,
  values: Float32Array<ArrayBuffer>,
  { rowStart = 0, rowCount: wanted }: TensorReadOptions,
): TensorBytes {
  const rows = rowCount(shape);
  const cols = values.length / rows;
  const count = wanted ?? rows - rowStart;
  const taken = values.slice(rowStart * cols, (rowStart + count) * cols);
  return { dtype: 'F32', shape: [count, ...shape.slice(1)], bytes: new Uint8Array(taken.buffer) };
}

/** Reads the whole tensor, and takes the wanted rows. */
async function readOrdered(
  held: HeldTensor,
  rowOrder: (row: number) => number,
  { rowStart = 0, rowCount: wanted, ...options }: TensorReadOptions,
): Promise<TensorBytes> {
  const rows = rowCount(held.info.shape);
  const whole = await readTensor(held, options);
  const rowBytes = whole.bytes.byteLength / rows;
  const count = wanted ?? rows - rowStart;
  const bytes = new Uint8Array(count * rowBytes);
  for (let row = 0; row < count; row += 1) {
    const from = rowOrder(rowStart + row) * rowBytes;
    bytes.set(whole.bytes.subarray(from, from + rowBytes), row * rowBytes);
  }
  return { ...whole, shape: [count, ...whole.shape.slice(1)], bytes };
}

/** Reads the parts, and checks what is made of them. */
async function readComposed(
  { info }: HeldTensor,
  compose: NonNullable<HeldTensor['compose']>,
  options: TensorReadOptions,
): Promise<TensorBytes> {
  const { rowStart, wanted, rowBytes } = rowsOf(info, options);
  const { signal } = options;
  const read: HeldTensor[] = [];
  const bytes = await compose({ start: rowStart, count: wanted }, async (part, rows) => {
    read.push(part);
    const range = rows ? { rowStart: rows.start, rowCount: rows.count } : {};
    return (await readTensor(part, { signal, ...range })).bytes;
  });
  const found = options.allowNonFinite === true ? -1 : findNonFinite(info.dtype, bytes);
  if (found >= 0) {
    for (const { source, info: part } of read) source.forget?.(part.offsetBytes, part.sizeBytes);
    throw nonFinite(info, found, rowStart * rowBytes);
  }
  return { dtype: info.dtype, shape: [wanted, ...info.shape.slice(1)], bytes };
}

/** The rows that are wanted of a tensor. */
function rowsOf(info: TensorInfo, options: TensorReadOptions) {
  const rows = rowCount(info.shape);
  const { rowStart = 0 } = options;
  const wanted = options.rowCount ?? rows - rowStart;
  const isInside = Number.isInteger(rowStart) && Number.isInteger(wanted) && rowStart >= 0 && wanted >= 0;
  if (!isInside || rowStart + wanted > rows) {
    throw new AtomoeError(
      'bad-file',
      `${info.file}: tensor "${info.name}" has ${rows} rows, rows ${rowStart} to ${rowStart + wanted} are wanted; ` +
        `its shape [${info.shape.join(', ')}] does not fit the config, download both again`,
    );
  }
  return { rowStart, wanted, rowBytes: rows === 0 ? 0 : info.sizeBytes / rows };
}

async function readTensor({ info, source }: HeldTensor, options: TensorReadOptions): Promise<TensorBytes> {
  const { signal, onProgress } = options;
  const { rowStart, wanted, rowBytes } = rowsOf(info, options);
  const offsetBytes = info.offsetBytes + rowStart * rowBytes;
  const bytes = await readExactly(source, offsetBytes, wanted * rowBytes, { signal, onProgress });
  const found = options.allowNonFinite === true ? -1 : findNonFinite(info.dtype, bytes);
  if (found >= 0) {
    source.forget?.(offsetBytes, bytes.byteLength); // it may have been damaged on its way
    throw nonFinite(info, found, rowStart * rowBytes);
  }
  return {
    dtype: info.dtype,
    shape: info.shape.length === 0 ? [] : [wanted, ...info.shape.slice(Math.max(1, info.shape.length - 1))],
    bytes,
  };
}

/** A NaN in the weights makes every later number a NaN, far from its cause: say where it is instead. */
function nonFinite(info: TensorInfo, found: number, skippedBytes: number): AtomoeError {
  const elements = info.shape.reduce((product, size) => product * size, 1);
  const index = found + skippedBytes / (info.sizeBytes / elements);
  return new AtomoeError(
    'non-finite',
    `${info.file}: tensor "${info.name}" ${info.dtype} [${info.shape.join(', ')}] holds a NaN or an infinity at ` +
      `element ${index}, finite numbers are wanted; the file is damaged, download it again`,
  );
}
