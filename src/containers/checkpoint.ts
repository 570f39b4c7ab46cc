/**
 * A model folder: configs, and tensors of one safetensors file, of several behind an index, or of a packed model, whose
 * experts lie beside its tensors as records.
 */
import { AtomoeError } from '../errors.ts';
import { readExactly, unrangedBytes } from '../io/read.ts';
import type { FileSource, FolderSource, ReadOptions } from '../io/source.ts';
import { findNonFinite, isWeightDtype, toF32 } from '../weights/dtypes.ts';
import type { Dtype } from '../weights/dtypes.ts';
import { isJsonObject, readJson } from '../io/json-file.ts';
import type { JsonObject } from '../io/json-file.ts';
import { verifiedFile } from './block-hashes.ts';
import {
  assertHashing,
  DENSE_FILE,
  MANIFEST_FILE,
  openPack,
  parseManifest,
  type ExpertPack,
} from './pack.ts';
import { readSafetensorsHeader } from './safetensors.ts';
import type { SafetensorsEntry, SafetensorsHeader } from './safetensors.ts';

export interface TensorInfo extends SafetensorsEntry {
  readonly name: string;
  readonly file: string; // the name of the file that holds it
}

/** Rows are what the last dimension makes: a [E, R, C] tensor has E * R of them, a vector one for each element. */
export interface TensorReadOptions extends ReadOptions {
  rowStart?: number; // default 0
  rowCount?: number; // default: the rest
  /** Lets NaN and infinities pass. By default every float that is read is checked. */
  allowNonFinite?: boolean;
}

export interface TensorBytes {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>; // little-endian, row-major
}

/** Why a tensor that the index names is not there. */
export interface LostTensor {
  readonly file: string; // that the index names
  readonly isFileMissing: boolean; // or the file is there, and the tensor is not in it
}

/** An opened folder: headers are read, weights are not. */
export interface Checkpoint {
  readonly label: string;
  readonly config: JsonObject;
  readonly generationConfig: JsonObject | undefined;
  readonly metadata: Readonly<Record<string, string>>; // of the first weight file
  readonly files: readonly { readonly name: string; readonly sizeBytes: number }[];
  readonly totalBytes: number; // of all weight files
  readonly unrangedBytes: number; // of those that their source gives only whole
  /** The routed experts of a packed model; its tensors are all the others. */
  readonly pack?: ExpertPack;
  names(): IterableIterator<string>;
  tensor(name: string): TensorInfo | undefined;
  /** What an index names and no file holds: indexes of real models name more than anybody needs. */
  readonly lost: ReadonlyMap<string, LostTensor>;
  /**
   * @throws {AtomoeError} bad-file - no such tensor, or its rows do not exist; non-finite - a NaN or an infinity in it;
   *   network, integrity and the like from the source
   */
  read(name: string, options?: TensorReadOptions): Promise<TensorBytes>;
  /** The same as f32, whatever the stored type. Unlike `read` it costs four bytes an element. */
  readF32(name: string, options?: TensorReadOptions): Promise<Float32Array<ArrayBuffer>>;
  dispose(): void;
}

interface OpenOptions {
  signal?: AbortSignal | undefined;
  /** Sees the config before any weight file is asked for, and throws where it is of no use. */
  accept?: (config: JsonObject, label: string) => void;
}

const NO_INDEX: ReadonlyMap<string, string> = new Map();

interface WeightFile {
  readonly source: FileSource;
  readonly header: SafetensorsHeader;
}

/**
 * Opens a model folder by reading its configs and its weight headers. model.safetensors is looked for first, then the
 * manifest of a packed model, then the index of shards.
 *
 * @throws {AtomoeError} bad-file - config.json or the weights are missing, or a header, an index or a JSON is wrong;
 *   unsupported-model - packed by a newer version
 */
export async function openCheckpoint(folder: FolderSource, options: OpenOptions = {}): Promise<Checkpoint> {
  const config = await readJson(folder, 'config.json', options);
  if (!config) throw await absent(folder, 'config.json', 'it says which model this is');
  options.accept?.(config, folder.label);
  const generationConfig = await readJson(folder, 'generation_config.json', options);
  const single = folder.entry ?? 'model.safetensors';
  // Who drops a packed folder, or points at its one weight file, means the whole pack.
  const source = single === DENSE_FILE ? undefined : await openWeights(folder, single, options);
  if (source) {
    const tensors = await openTensors(folder.label, [source], NO_INDEX, options);
    return checkpointOf(folder.label, config, generationConfig, tensors);
  }
  const manifest = await readJson(folder, MANIFEST_FILE, options);
  if (manifest) {
    const { tensors, pack } = await openPacked(folder, manifest, options);
    return checkpointOf(folder.label, config, generationConfig, tensors, pack);
  }
  const index = await readJson(folder, 'model.safetensors.index.json', options);
  if (!index) {
    throw await absent(folder, single, 'neither it nor model.safetensors.index.json is there');
  }
  const weightMap = parseWeightMap(folder, index);
  const sources = await openShards(folder, new Set(weightMap.values()), options);
  const tensors = await openTensors(folder.label, sources, weightMap, options);
  return checkpointOf(folder.label, config, generationConfig, tensors);
}

/**
 * Opens one safetensors file that is no model, such as a single layer with its expected output.
 *
 * @throws {AtomoeError} bad-file - the header is wrong
 */
export async function openSafetensors(source: FileSource, options: OpenOptions = {}): Promise<Checkpoint> {
  return checkpointOf(
    source.name,
    {},
    undefined,
    await openTensors(source.name, [source], NO_INDEX, options),
  );
}

async function openWeights(
  folder: FolderSource,
  name: string,
  options: OpenOptions,
): Promise<FileSource | undefined> {
  if (!name.endsWith('.safetensors')) {
    throw new AtomoeError(
      'bad-file',
      `${folder.label}: ${name} is no .safetensors file; choose the safetensors version of the model`,
    );
  }
  // Other files may hold the weights: `absent` says what is wrong where none does.
  return folder.open(name, { ...options, isOptional: folder.entry === undefined });
}

async function openPacked(
  folder: FolderSource,
  json: JsonObject,
  options: OpenOptions,
): Promise<{ tensors: OpenedTensors; pack: ExpertPack }> {
  const manifest = parseManifest(json, `${folder.label}: ${MANIFEST_FILE}`);
  assertHashing(folder);
  const dense = await folder.open(DENSE_FILE, options);
  if (!dense) throw missing(folder, DENSE_FILE, `${MANIFEST_FILE} names it`);
  if (dense.sizeBytes !== manifest.denseBytes) {
    dense.dispose?.();
    throw new AtomoeError(
      'bad-file',
      `${folder.label}: ${DENSE_FILE} has ${dense.sizeBytes} bytes, ${MANIFEST_FILE} says ${manifest.denseBytes}; ` +
        `download both again`,
    );
  }
  const source = manifest.denseHashes ? verifiedFile(folder, dense, manifest.denseHashes) : dense;
  const tensors = await openTensors(folder.label, [source], NO_INDEX, options);
  try {
    return { tensors, pack: await openPack(folder, manifest, options) };
  } catch (error) {
    source.dispose?.();
    throw error;
  }
}

/** Those that are there: whether a missing one is missed depends on what the model needs. */
async function openShards(
  folder: FolderSource,
  names: ReadonlySet<string>,
  options: OpenOptions,
): Promise<FileSource[]> {
  const sources: FileSource[] = [];
  try {
    for (const name of names) {
      const source = await openWeights(folder, name, options);
      if (source) sources.push(source);
    }
    if (sources.length === 0) {
      throw missing(folder, [...names][0] ?? 'a shard', 'model.safetensors.index.json names it');
    }
    return sources;
  } catch (error) {
    for (const source of sources) source.dispose?.();
    throw error;
  }
}

function parseWeightMap(folder: FolderSource, index: JsonObject): Map<string, string> {
  const map = index['weight_map'];
  const pairs = isJsonObject(map) ? Object.entries(map) : [];
  const isNamed = (pair: [string, unknown]): pair is [string, string] => typeof pair[1] === 'string';
  if (pairs.length > 0 && pairs.every(isNamed)) return new Map(pairs);
  throw new AtomoeError(
    'bad-file',
    `${folder.label}: model.safetensors.index.json has no usable "weight_map", an object of tensor names to file ` +
      `names is wanted; download it again`,
  );
}

interface HeldTensor {
  readonly info: TensorInfo;
  readonly source: FileSource;
}

interface OpenedTensors {
  readonly files: readonly WeightFile[];
  readonly byName: ReadonlyMap<string, HeldTensor>;
  readonly lost: ReadonlyMap<string, LostTensor>;
}

/** Reads the headers, and finds each tensor. Closes the sources if that fails. */
async function openTensors(
  label: string,
  sources: readonly FileSource[],
  weightMap: ReadonlyMap<string, string>,
  options: OpenOptions,
): Promise<OpenedTensors> {
  try {
    const readOne = async (source: FileSource) => ({ source, header: await readHeader(source, options) });
    const files = await Promise.all(sources.map(readOne));
    const byName = new Map<string, HeldTensor>();
    for (const { source, header } of files) {
      for (const [name, entry] of header.tensors) {
        const named = weightMap.get(name);
        if (named !== undefined && named !== source.name) continue; // a copy: the index means another
        const held = byName.get(name);
        if (held) throw heldTwice(label, held.info, source);
        byName.set(name, { info: { name, file: source.name, ...entry }, source });
      }
    }
    const there = new Set(sources.map(({ name }) => name));
    const lost = new Map<string, LostTensor>();
    for (const [name, file] of weightMap) {
      if (!byName.has(name)) lost.set(name, { file, isFileMissing: !there.has(file) });
    }
    return { files, byName, lost };
  } catch (error) {
    for (const source of sources) source.dispose?.();
    throw error;
  }
}

function heldTwice(label: string, { name, file }: TensorInfo, source: FileSource): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${label}: tensor "${name}" is in ${file} and in ${source.name}, and model.safetensors.index.json names neither; ` +
      `one place is wanted, download the index again`,
  );
}

function checkpointOf(
  label: string,
  config: JsonObject,
  generationConfig: JsonObject | undefined,
  { files: weightFiles, byName, lost }: OpenedTensors,
  pack?: ExpertPack,
): Checkpoint {
  const files = [
    ...weightFiles.map(({ source: { name, sizeBytes } }) => ({ name, sizeBytes })),
    ...(pack?.files ?? []),
  ];
  const read = (name: string, options: TensorReadOptions = {}) => {
    const found = byName.get(name);
    if (!found) throw noTensor(label, name, lost.get(name), byName.size);
    return readTensor(found.info, found.source, options);
  };
  return {
    label,
    config,
    generationConfig,
    metadata: weightFiles[0]?.header.metadata ?? {},
    files,
    totalBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    unrangedBytes: unrangedBytes(weightFiles.map(({ source }) => source)) + (pack?.unrangedBytes ?? 0),
    ...(pack ? { pack } : {}),
    names: () => byName.keys(),
    tensor: (name) => byName.get(name)?.info,
    lost,
    read: async (name, options) => read(name, options),
    async readF32(name, options) {
      const { dtype, bytes } = await read(name, options);
      if (isWeightDtype(dtype) || dtype === 'F64') return toF32(dtype, bytes);
      throw new AtomoeError(
        'unsupported-model',
        `${label}: tensor "${name}" is ${dtype}, F16, BF16 or F32 is wanted; choose a 16-bit version of the model`,
      );
    },
    dispose() {
      for (const { source } of weightFiles) source.dispose?.();
      pack?.dispose();
    },
  };
}

async function readTensor(
  info: TensorInfo,
  source: FileSource,
  options: TensorReadOptions,
): Promise<TensorBytes> {
  const rows = rowCount(info.shape);
  const { rowStart = 0, signal, onProgress } = options;
  const wanted = options.rowCount ?? rows - rowStart;
  const isInside = Number.isInteger(rowStart) && Number.isInteger(wanted) && rowStart >= 0 && wanted >= 0;
  if (!isInside || rowStart + wanted > rows) {
    throw new AtomoeError(
      'bad-file',
      `${info.file}: tensor "${info.name}" has ${rows} rows, rows ${rowStart} to ${rowStart + wanted} are wanted; ` +
        `its shape [${info.shape.join(', ')}] does not fit the config, download both again`,
    );
  }
  const rowBytes = rows === 0 ? 0 : info.sizeBytes / rows;
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

async function readHeader(source: FileSource, options: OpenOptions): Promise<SafetensorsHeader> {
  try {
    return await readSafetensorsHeader(source, { ...options, isPeek: true });
  } catch (error) {
    // Its length and its text are two reads that touch; either may have been damaged on its way.
    if (error instanceof AtomoeError && error.code === 'bad-file')
      source.forget?.(0, Math.min(9, source.sizeBytes));
    throw error;
  }
}

/** Rows as `TensorReadOptions` counts them. */
export function rowCount(shape: readonly number[]): number {
  if (shape.length <= 1) return shape[0] ?? 1;
  return shape.slice(0, -1).reduce((product, size) => product * size, 1);
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

/** The same, or the better reason: packing writes the dense tensors first and the manifest last. */
async function absent(folder: FolderSource, name: string, why: string): Promise<AtomoeError> {
  (await folder.open(name))?.dispose?.(); // where it was refused, that is the error
  const options = { isOptional: true };
  const [started, finished] = await Promise.all([
    folder.open(DENSE_FILE, options),
    folder.open(MANIFEST_FILE, options),
  ]);
  started?.dispose?.();
  finished?.dispose?.();
  if (!started || finished) return missing(folder, name, why);
  return new AtomoeError(
    'bad-file',
    `${folder.label}: packing this model was not finished, ${DENSE_FILE} is there and ${MANIFEST_FILE}, which is ` +
      `written last, is not; pack it again into a new folder`,
  );
}

function missing(folder: FolderSource, name: string, why: string): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${folder.label}: ${name} is missing (${why}); ` +
      (folder.advice ?? 'give a Hugging Face model folder with config.json and safetensors weights'),
  );
}

/** Says why a tensor that is needed is not there. */
export function noTensor(
  label: string,
  name: string,
  lost: LostTensor | undefined,
  count: number,
): AtomoeError {
  if (lost) {
    const why = lost.isFileMissing ? 'which is missing' : 'which does not hold it';
    return new AtomoeError(
      'bad-file',
      `${label}: model.safetensors.index.json puts tensor "${name}" into ${lost.file}, ${why}; download the index and ` +
        `${lost.file} again`,
    );
  }
  return new AtomoeError(
    'bad-file',
    `${label}: tensor "${name}" is missing among the ${count} of the file; the config asks for it, download both ` +
      `again`,
  );
}
