/** Opens a model folder by whichever container it is stored in. */
import { readJson } from '../io/json-file.ts';
import type { FolderSource } from '../io/source.ts';
import type { Checkpoint } from './checkpoint.ts';
import { missing, type Configs, type Container, type ModelFolder, type OpenOptions } from './container.ts';
import { packed } from './pack.ts';
import { INDEX_FILE, safetensors, shardedSafetensors, WEIGHTS_FILE } from './safetensors.ts';

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
  const model = modelFolder(folder, options);
  const all = [...extra, ...CONTAINERS];
  const { entry } = folder;
  const claimed = entry === undefined ? [] : all.filter(({ claims }) => claims?.(entry) ?? false);
  for (const container of new Set([...claimed, ...all])) {
    const checkpoint = await container.open(model);
    if (checkpoint) return checkpoint;
  }
  const name = entry ?? WEIGHTS_FILE;
  (await folder.open(name))?.dispose?.(); // where it was refused, that is the error
  for (const { explain } of all) {
    const why = await explain?.(model);
    if (why) throw why;
  }
  throw missing(folder, name, `neither it nor ${INDEX_FILE} is there`);
}

function modelFolder(folder: FolderSource, options: OpenOptions): ModelFolder {
  let configs: Promise<Configs> | undefined;
  const model: ModelFolder = {
    folder,
    options,
    configs: () => (configs ??= readConfigs(model)),
  };
  return model;
}

async function readConfigs(model: ModelFolder): Promise<Configs> {
  const { folder, options } = model;
  const config = await readJson(folder, 'config.json', options);
  if (!config) {
    (await folder.open('config.json'))?.dispose?.();
    throw (await packed.explain?.(model)) ?? missing(folder, 'config.json', 'it says which model this is');
  }
  options.accept?.(config, folder.label);
  return { config, generationConfig: await readJson(folder, 'generation_config.json', options) };
}
