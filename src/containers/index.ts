/** Opens a model folder by whichever container it is stored in. */
import { AtomoeError } from '../errors.ts';
import { readJson } from '../io/json-file.ts';
import type { FolderSource } from '../io/source.ts';
import type { Checkpoint } from './checkpoint.ts';
import { missing, type Configs, type Container, type ModelFolder, type OpenOptions } from './container.ts';
import { gguf } from './gguf.ts';
import { packed } from './pack.ts';
import { safetensors, shardedSafetensors } from './safetensors.ts';

/** Every container, in the order in which a folder is looked at: a new one is a row here. */
export const CONTAINERS: readonly Container[] = [safetensors, packed, shardedSafetensors, gguf];

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
    const checkpoint = await (extra.includes(container)
      ? openForeign(container, model)
      : container.open(model));
    if (checkpoint) return checkpoint;
  }
  const [first = '', ...others] = [
    ...(entry === undefined ? [] : [entry]),
    ...[...CONTAINERS, ...extra].flatMap(({ files }) => files),
  ];
  throw await unrecognised(model, all, first, `and so are ${others.join(', ')}`);
}

const METHODS = ['names', 'tensor', 'read', 'readF32', 'dispose'] as const;

/**
 * Opens by a container from outside, whose faults are its author's and not the model's.
 *
 * @throws {AtomoeError} bad-input - it threw something else than an AtomoeError, or gave something else than a checkpoint
 */
async function openForeign(container: Container, model: ModelFolder): Promise<Checkpoint | undefined> {
  const { signal } = model.options;
  let opened: unknown;
  try {
    opened = await container.open(model);
  } catch (cause) {
    if (cause instanceof AtomoeError || (signal?.aborted === true && cause === signal.reason)) throw cause;
    throw foreignFault(container, `threw ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  if (opened === undefined || opened === null) return undefined;
  const found = opened as Readonly<Record<string, unknown>>;
  const lacking = METHODS.find((name) => typeof found[name] !== 'function');
  if (lacking !== undefined) throw foreignFault(container, `opened something without ${lacking}()`);
  if (typeof found['config'] !== 'object' || found['config'] === null) {
    throw foreignFault(container, 'opened something without a config');
  }
  return opened as Checkpoint;
}

function foreignFault({ name }: Container, what: string, cause?: unknown): AtomoeError {
  return new AtomoeError(
    'bad-input',
    `the container "${name}" ${what}; wanted a Checkpoint, or undefined where the folder is stored in another way; correct it`,
    { cause },
  );
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
