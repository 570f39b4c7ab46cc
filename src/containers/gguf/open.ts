/** Opens GGUF files: headers, config and names. */
import { AtomoeError } from '../../errors.ts';
import type { JsonObject } from '../../io/json-file.ts';
import { readExactly } from '../../io/read.ts';
import type { FileSource, FolderSource } from '../../io/source.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { missing, type ModelFolder, type OpenOptions } from '../container.ts';
import type { Architecture } from './architecture.ts';
import { architecture, ARCHITECTURE_NAMES, configOf } from './architectures.ts';
import { readGgufHeader, type GgufHeader } from './header.ts';
import { GgufKeys, ROPE_TENSORS } from './keys.ts';
import { derivedTensors, heldTensors } from './names.ts';
import { checkpointOf, type HeldTensor } from '../tensor-files.ts';

/** `NAME-00001-of-00003.gguf` */
const SPLIT_NAME = /^(.*)-(\d{5})-of-(\d{5})(\.gguf)$/i;

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
    return openModel(folder.label, files, await ropeVectors(files, options), options);
  } catch (error) {
    for (const { source } of files) source.dispose?.();
    throw error;
  }
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

/** Elements of a tensor of rotary positions: half of a head. */
const MOST_IN_VECTOR = 4096;

/** The values of the tensors that belong to the config. Others than vectors of f32 are left to those who ask for them. */
async function ropeVectors(
  files: readonly GgufFile[],
  { signal }: OpenOptions,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const vectors = new Map<string, readonly number[]>();
  for (const { source, header } of files) {
    for (const name of ROPE_TENSORS) {
      const { dtype, shape = [], offsetBytes = 0, sizeBytes = 0 } = header.tensors.get(name) ?? {};
      if (dtype !== 'F32' || shape.length !== 1 || (shape[0] ?? 0) > MOST_IN_VECTOR) continue;
      const bytes = await readExactly(source, offsetBytes, sizeBytes, { signal });
      vectors.set(name, [...new Float32Array(bytes.buffer, bytes.byteOffset, shape[0])]);
    }
  }
  return vectors;
}

function openModel(
  label: string,
  files: readonly GgufFile[],
  vectors: ReadonlyMap<string, readonly number[]>,
  options: OpenOptions,
): Checkpoint {
  const header = merged(label, files);
  const name = header.metadata.get('general.architecture');
  const keys = new GgufKeys(label, header, String(name), vectors);
  const kind = typeof name === 'string' ? architecture(name, keys) : undefined;
  if (!kind) {
    throw new AtomoeError(
      'unsupported-model',
      `${label}: the architecture ${JSON.stringify(name ?? null)} is not supported; these are: ` +
        `${ARCHITECTURE_NAMES.join(', ')}; choose a model of one of them`,
    );
  }
  const config: JsonObject = configOf(kind, keys);
  options.accept?.(config, label);
  const byName = namesOf(kind, keys, files);
  const opened = {
    files: files.map(({ source }) => ({ source, header: { metadata: textsOf(header) } })),
    byName,
    lost: new Map(),
  };
  return {
    ...checkpointOf(label, { config, generationConfig: undefined }, opened),
    gguf: header.metadata,
  };
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

function namesOf(
  kind: Architecture,
  keys: GgufKeys,
  files: readonly GgufFile[],
): ReadonlyMap<string, HeldTensor> {
  const byName = new Map<string, HeldTensor>();
  for (const { source, header } of files)
    for (const held of heldTensors(kind, keys, source, header)) byName.set(held.info.name, held);
  if (kind.derived)
    for (const held of derivedTensors(kind.derived, keys, byName)) byName.set(held.info.name, held);
  return byName;
}

/** The short texts of the metadata: name, licence, authors. */
function textsOf({ metadata }: GgufHeader): Record<string, string> {
  const isText = (pair: readonly [string, unknown]): pair is [string, string] =>
    typeof pair[1] === 'string' && pair[0].startsWith('general.');
  return Object.fromEntries([...metadata].filter(isText));
}
