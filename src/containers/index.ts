/** Opens a model folder by whichever container it is stored in. */
import type { AtomoeError } from '../errors.ts';
import { readJson } from '../io/json-file.ts';
import type { FolderSource } from '../io/source.ts';
import type { Checkpoint } from './checkpoint.ts';
import { missing, type Configs, type Container, type ModelFolder, type OpenOptions } from './container.ts';
import { packed } from './pack.ts';
import { safetensors, shardedSafetensors } from './safetensors.ts';

/** Every container, in the order in which a folder is looked at: a new one is a row here. */
const CONTAINERS: readonly Container[] = [safetensors, packed, shardedSafetensors];

/**
 * Opens a model folder by reading its configs and its weights' headers.
 *
 * @param extra - containers beside the built-in ones, which are asked first
 * @throws {AtomoeError} bad-file - config.json or the weights are missing, or a header, an index or a JSON is wrong;
 *   unsupported-model - written by a newer version
 */
export async function openCheckpoint(
  folder: FolderSource,
  options: OpenOptions = {},
  extra: readonly Container[] = [],
): Promise<Checkpoint> {
  const all = [...extra, ...CONTAINERS];
  const model = modelFolder(folder, options, all);
  const { entry } = folder;
  const claimed = entry === undefined ? [] : all.filter(({ claims }) => claims?.(entry) ?? false);
  for (const container of new Set([...claimed, ...all])) {
    const checkpoint = await container.open(model);
    if (checkpoint) return checkpoint;
  }
  const [first = '', ...others] = [
    ...(entry === undefined ? [] : [entry]),
    ...[...CONTAINERS, ...extra].flatMap(({ files }) => files),
  ];
  throw await unrecognised(model, all, first, `and so are ${others.join(', ')}`);
}

/** Why a folder is none of these: it was refused, it is nearly one of them, or `name` is not there. */
async function unrecognised(
  model: ModelFolder,
  containers: readonly Container[],
  name: string,
  why: string,
): Promise<AtomoeError> {
  const { folder } = model;
  (await folder.open(name))?.dispose?.(); // where it was refused, that is the error
  for (const { explain } of containers) {
    const nearly = await explain?.(model);
    if (nearly) return nearly;
  }
  return missing(folder, name, why);
}

function modelFolder(
  folder: FolderSource,
  options: OpenOptions,
  containers: readonly Container[],
): ModelFolder {
  let configs: Promise<Configs> | undefined;
  const model: ModelFolder = {
    folder,
    options,
    configs: () => (configs ??= readConfigs(model, containers)),
  };
  return model;
}

async function readConfigs(model: ModelFolder, containers: readonly Container[]): Promise<Configs> {
  const { folder, options } = model;
  const config = await readJson(folder, 'config.json', options);
  if (!config) {
    const [name, why] = ['config.json', 'it says which model this is'] as const;
    // Who explains may ask for the configs, and would wait for this very call.
    const explained = { ...model, configs: () => Promise.reject(missing(folder, name, why)) };
    throw await unrecognised(explained, containers, name, why);
  }
  options.accept?.(config, folder.label);
  return { config, generationConfig: await readJson(folder, 'generation_config.json', options) };
}
