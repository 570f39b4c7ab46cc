/** Opens safetensors: one file, or several behind an index. */
import { AtomoeError } from '../../errors.ts';
import { isJsonObject, readJson, type JsonObject } from '../../io/json-file.ts';
import type { FileSource, FolderSource } from '../../io/source.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { missing, type Configs, type ModelFolder, type OpenOptions } from '../container.ts';
import { quantizationOf } from '../quantization.ts';
import { checkpointOf } from '../tensor-files.ts';
import { INDEX_FILE, WEIGHTS_FILE } from './files.ts';
import { NO_INDEX, openTensors } from './tensors.ts';

/** One file: the folder's entry, or model.safetensors. */
export async function openSingle(
  { folder, options }: ModelFolder,
  configs: Configs,
): Promise<Checkpoint | undefined> {
  const { label } = folder;
  const quantization = await quantizationOf(configs.config, label);
  const source = await openWeights(folder, folder.entry ?? WEIGHTS_FILE, options);
  if (!source) return undefined;
  return checkpointOf(label, configs, await openTensors(label, [source], NO_INDEX, options, quantization));
}

/** Several files, and an index that says which tensor is in which. */
export async function openSharded(
  { folder, options }: ModelFolder,
  configs: Configs,
): Promise<Checkpoint | undefined> {
  const { label } = folder;
  const quantization = await quantizationOf(configs.config, label);
  const index = await readJson(folder, INDEX_FILE, options);
  if (!index) return undefined;
  const weightMap = parseWeightMap(folder, index);
  const sources = await openShards(folder, new Set(weightMap.values()), options);
  return checkpointOf(label, configs, await openTensors(label, sources, weightMap, options, quantization));
}

/**
 * Opens one safetensors file that is no model, such as a single layer with its expected output.
 *
 * @throws {AtomoeError} bad-file - the header is wrong
 */
export async function openSafetensors(source: FileSource, options: OpenOptions = {}): Promise<Checkpoint> {
  const tensors = await openTensors(source.name, [source], NO_INDEX, options);
  return checkpointOf(source.name, { config: {}, generationConfig: undefined }, tensors);
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
