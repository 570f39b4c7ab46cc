/** Opens GGUF files: headers, config and names. */
import { AtomoeError } from '../../errors.ts';
import type { JsonObject } from '../../io/json-file.ts';
import { readExactly } from '../../io/read.ts';
import type { FileSource, FolderSource } from '../../io/source.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { unpackedBytes } from '../../weights/dtypes.ts';
import { missing, type ModelFolder, type OpenOptions } from '../container.ts';
import type { Architecture } from './architecture.ts';
import { ARCHITECTURE_NAMES, configOf, loadArchitecture } from './architectures.ts';
import { readGgufHeader, type GgufHeader } from './header.ts';
import { checkUnread } from './checks.ts';
import { GgufKeys, ROPE_TENSORS } from './keys.ts';
import { derivedTensors, heldTensors } from './names.ts';
import { applyTensorScales } from './nvfp4.ts';
import { checkpointOf, type HeldTensor } from '../tensor-files.ts';

/** `NAME-00001-of-00003.gguf` */
const SPLIT_NAME = /^(.*)-(\d{5})-of-(\d{5})(\.gguf)$/i;

const MOST_FACTOR_BYTES = 2 ** 16;

interface GgufFile {
  readonly source: FileSource;
  readonly header: GgufHeader;
}

/**
 * Opens a GGUF file, or all files of which it is the first.
 *
 * @throws {AtomoeError} bad-file; unsupported-model; network and the like
 */
export async function openGguf({ folder, options }: ModelFolder, name: string): Promise<Checkpoint> {
  const files = await openFiles(folder, name, options);
  try {
    return await openModel(folder, name, files, options);
  } catch (error) {
    for (const { source } of files) source.dispose?.();
    throw error;
  }
}

/** The file's name, where the folder's label does not end with it. */
function labelOf({ label }: FolderSource, name: string): string {
  return label.endsWith(name) ? label : `${label}: ${name}`;
}

/** The file, or all of its splits: the first knows how many there are. */
async function openFiles(folder: FolderSource, name: string, options: OpenOptions): Promise<GgufFile[]> {
  const files: GgufFile[] = [];
  try {
    for (const each of [name, ...splitsAfter(name)]) {
      const source = await folder.open(each, options);
      const why = each === name ? 'it is the model' : `${name} is the first of several files`;
      if (!source) throw missing(folder, each, why);
      files.push({ source, header: await readHeader(source, options) });
    }
    checkSplits(folder.label, files);
    return files;
  } catch (error) {
    for (const { source } of files) source.dispose?.();
    throw error;
  }
}

/** The names of the files that belong to a first one. */
function splitsAfter(name: string): string[] {
  const [, stem = '', first = '', count = '', extension = ''] = SPLIT_NAME.exec(name) ?? [];
  if (first !== '00001') return [];
  const number = (index: number) => String(index).padStart(5, '0');
  return Array.from(
    { length: Number(count) - 1 },
    (_, index) => `${stem}-${number(index + 2)}-of-${count}${extension}`,
  );
}

/** Each file says how many there are and which one it is. */
function checkSplits(label: string, files: readonly GgufFile[]): void {
  for (const [index, { source, header }] of files.entries()) {
    const count = header.metadata.get('split.count') ?? 1;
    const number = header.metadata.get('split.no') ?? 0;
    if (count === files.length && number === index) continue;
    if (index === 0 && files.length === 1 && number === 0 && count === 1) continue;
    throw new AtomoeError(
      'bad-file',
      `${label}: ${source.name} says that it is part ${Number(number) + 1} of ${String(count)}, part ${index + 1} of ` +
        `${files.length} is wanted; give the first part, named NAME-00001-of-0000N.gguf, with all others beside it`,
    );
  }
}

async function readHeader(source: FileSource, options: OpenOptions): Promise<GgufHeader> {
  try {
    return await readGgufHeader(source, { signal: options.signal });
  } catch (error) {
    // It may have been damaged on its way.
    if (error instanceof AtomoeError && error.code === 'bad-file') source.forget?.(0, source.sizeBytes);
    throw error;
  }
}

async function openModel(
  folder: FolderSource,
  entry: string,
  files: readonly GgufFile[],
  options: OpenOptions,
): Promise<Checkpoint> {
  const label = labelOf(folder, entry);
  const header = merged(label, files);
  const name = header.metadata.get('general.architecture');
  const keys = new GgufKeys(label, header, String(name), await readRopeTensors(files, options));
  const kind = typeof name === 'string' ? await loadArchitecture(name, keys) : undefined;
  if (!kind) {
    throw new AtomoeError(
      'unsupported-model',
      `${label}: the architecture ${JSON.stringify(name ?? null)} is not supported; these are: ` +
        `${ARCHITECTURE_NAMES.join(', ')}; choose a model of one of them`,
    );
  }
  const config: JsonObject = configOf(kind, keys);
  checkUnread(keys, kind);
  options.accept?.(config, label);
  const { byName, pieces } = namesOf(label, kind, keys, files);
  const opened = {
    files: files.map(({ source }) => ({ source, header: { metadata: textsOf(header) } })),
    byName,
    lost: new Map(),
    ...expandedOf(files),
  };
  const checkpoint = checkpointOf(folder.label, { config, generationConfig: undefined }, opened);
  const words = { label, folder: folder.label, config, keys, architecture: kind };
  const inOwnWords = async (error: unknown) => {
    if (!(error instanceof AtomoeError)) return error;
    const { inWordsOfFile } = await import('./words.ts');
    return inWordsOfFile(error, words);
  };
  const worded = async <T>(reading: Promise<T>): Promise<T> =>
    reading.catch(async (error: unknown) => Promise.reject(await inOwnWords(error)));
  return {
    ...checkpoint,
    *names() {
      for (const each of checkpoint.names()) if (!pieces.has(each)) yield each;
    },
    read: (...read) => worded(checkpoint.read(...read)),
    readF32: (...read) => worded(checkpoint.readF32(...read)),
    inOwnWords,
    isDecoderOnly: true,
    gguf: header.metadata,
  };
}

/** Why the weights take more memory than the file has bytes of them. */
function expandedOf(files: readonly GgufFile[]): { readonly expanded?: string } {
  let [stored, taken] = [0, 0];
  const types = new Set<string>();
  for (const { dtype, sizeBytes } of files.flatMap(({ header }) => [...header.tensors.values()])) {
    const unpacked = unpackedBytes(dtype, sizeBytes);
    if (unpacked === undefined) continue;
    types.add(dtype);
    stored += sizeBytes;
    taken += unpacked;
  }
  if (types.size === 0) return {};
  return {
    expanded:
      `weights of ${[...types].sort().join(', ')} are unpacked to 4.375 bits when they are loaded, so ${stored} bytes of them take ` +
      `${taken} bytes of memory; a file of Q4_K has better weights for about the same memory`,
  };
}

/** The few numbers that scale rotary positions, which are a part of the config elsewhere, by the names of their tensors. */
async function readRopeTensors(
  files: readonly GgufFile[],
  { signal }: OpenOptions,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const vectors = new Map<string, readonly number[]>();
  for (const { source, header } of files) {
    for (const name of ROPE_TENSORS) {
      const tensor = header.tensors.get(name);
      if (!tensor) continue;
      const { dtype, sizeBytes, offsetBytes } = tensor;
      if (dtype !== 'F32' || sizeBytes > MOST_FACTOR_BYTES) {
        throw new AtomoeError(
          'bad-file',
          `${source.name}: ${name} is ${sizeBytes} bytes of ${dtype}, at most ${MOST_FACTOR_BYTES} of F32 are wanted; ` +
            'the file is damaged, download it again',
        );
      }
      const bytes = await readExactly(source, offsetBytes, sizeBytes, { signal, isPeek: true });
      vectors.set(name, [...new Float32Array(bytes.slice().buffer)]);
    }
  }
  return vectors;
}

/** The first file's metadata, and the tensors of all. */
function merged(label: string, files: readonly GgufFile[]): GgufHeader {
  const [first] = files;
  const tensors = new Map(files.flatMap(({ header }) => [...header.tensors]));
  const count = files.reduce((sum, { header }) => sum + header.tensors.size, 0);
  if (!first || tensors.size !== count) {
    throw new AtomoeError('bad-file', `${label}: a tensor is in two of its files; download them again`);
  }
  return { ...first.header, tensors };
}

/** The tensors by the names of the family, and which of them are only pieces of others. */
function namesOf(
  label: string,
  kind: Architecture,
  keys: GgufKeys,
  files: readonly GgufFile[],
): { readonly byName: ReadonlyMap<string, HeldTensor>; readonly pieces: ReadonlySet<string> } {
  const byName = new Map<string, HeldTensor>();
  const storedAs = new Map<string, string>();
  const pieces = new Set<string>(ROPE_TENSORS); // the config has their values
  for (const { source, header } of files) {
    for (const { stored, held } of heldTensors(kind, keys, source, header)) {
      const { name } = held.info;
      const other = storedAs.get(name);
      if (other !== undefined) {
        throw new AtomoeError(
          'bad-file',
          `${label}: the tensors "${other}" and "${stored}" have the same place in the model; one of them is wanted; ` +
            'choose another file of the model',
        );
      }
      storedAs.set(name, stored);
      byName.set(name, held);
    }
  }
  applyTensorScales(byName, storedAs, keys);
  for (const { pieces: parts, held } of [...derivedTensors(kind, keys, byName)]) {
    for (const part of parts) pieces.add(part);
    // Some files have the whole, too.
    if (!byName.has(held.info.name)) byName.set(held.info.name, held);
  }
  return { byName, pieces };
}

/** The short texts of the metadata: name, licence, authors. */
function textsOf({ metadata }: GgufHeader): Record<string, string> {
  const isText = (pair: readonly [string, unknown]): pair is [string, string] =>
    typeof pair[1] === 'string' && pair[0].startsWith('general.');
  return Object.fromEntries([...metadata].filter(isText));
}
