/** What the commands that run a model share. */
import { existsSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { hubChoices, LocalEngine, type EngineOptions, type HubChoice } from '../engine/index.ts';
import type { LoadProgress, StreamingOptions } from '../engine/api.ts';
import { openDawn } from '../gpu/dawn.ts';
import { coalescedFolder } from '../io/coalesce.ts';
import { cachedFolder, type CachedFolder } from '../io/cache/disk-cache.ts';
import { listModels } from '../io/cache/model-store.ts';
import { openFolder } from '../io/folder.ts';
import { hubAddress, readHubModel, type HubAddress } from '../io/hub.ts';
import { parseHubName } from '../io/hub-name.ts';
import { isWeightFile } from '../io/names.ts';
import { listedFolder } from '../io/listed.ts';
import { nodeFolder, type NodeFolderOptions } from '../io/node-file.ts';
import { openNodeStorage } from '../io/node-storage.ts';
import type { FolderSource } from '../io/source.ts';
import type { DeviceKind } from '../engine/api.ts';
import { asUsage, UsageError, type Arguments, type Options } from './arguments.ts';
import { loadOptions, MODEL_FLAGS } from './load-flags.ts';
import { refuseByReference } from './streaming.ts';
import { fileTuning } from './tuning-file.ts';
import type { Terminal } from './terminal.ts';
import { formatBytes } from './words.ts';

/** --device */
export const DEVICE_OPTION = {
  device: {
    value: 'KIND',
    help: 'auto, gpu, cpu or reference (default auto)',
    read: readDevice,
  },
} as const satisfies Options;

/** The options of commands that load a model. */
export const LOAD_OPTIONS = {
  ...DEVICE_OPTION,
  threads: { value: 'N', help: 'of the CPU (default: all cores but one, 8 at most)', read: readThreads },
  ...MODEL_FLAGS,
} as const satisfies Options;

/** --tuning */
export const TUNING_OPTION = {
  tuning: { value: 'auto|off', help: 'time kernels once per adapter (default auto)', read: readTuning },
} as const satisfies Options;

/** --json */
export const JSON_OPTION = { json: { help: 'print JSON' } } as const satisfies Options;

/** @throws {UsageError} - neither */
export function readDevice(args: Arguments): DeviceKind | undefined {
  return args.choice('device', ['auto', 'gpu', 'cpu', 'reference']);
}

/** @throws {UsageError} - no whole number, or a device that has no threads */
function readThreads(args: Arguments): { threads?: number } {
  if (args.text('threads') === undefined) return {};
  const device = readDevice(args);
  if (device === 'gpu' || device === 'reference')
    throw new UsageError(`--threads has no effect on --device ${device}; wanted cpu or auto; leave it out`);
  return { threads: args.count('threads', 1) };
}

function readTuning(args: Arguments): 'auto' | 'off' | undefined {
  return args.choice('tuning', ['auto', 'off']);
}

/**
 * A folder, a weight file, the URL of either, or a name of the Hugging Face hub (at HF_ENDPOINT). What a URL gives goes through the disk cache that `--cache` names; what
 * ATOMOE_HEADERS says is sent with every request: an argument would be seen by everybody on the machine.
 */
export async function openSource(
  model: string,
  args?: Arguments,
  options: NodeFolderOptions = {},
): Promise<FolderSource> {
  const directory = args?.path('cache');
  const { address, names } = await remoteAddress(model, directory);
  if (/^https?:\/\//i.test(address)) {
    const headers = requestHeaders();
    const remote = asUsage(() => openFolder(address, { headers }));
    const folder = coalescedFolder(listedFolder(remote, names));
    return directory === undefined ? folder : cachedFolder(folder, await openNodeStorage(directory));
  }
  if (directory === undefined) {
    return nodeFolder(/^file:\/\//i.test(model) ? fileURLToPath(model) : model, options);
  }
  throw new UsageError(
    `--cache keeps what comes from a URL, ${model} is on this disk; wanted a URL; leave it out`,
  );
}

/** A name of the hub becomes an address, unless the disk has something of that name; `cache`: where models are kept. */
async function remoteAddress(model: string, cache: string | undefined): Promise<HubAddress> {
  if (existsSync(model)) return { address: model };
  const kept = cache === undefined ? undefined : async () => listModels(await openNodeStorage(cache));
  return hubAddress(model, { headers: requestHeaders(), hubUrl: process.env['HF_ENDPOINT'], kept });
}

/** What the hub has under a name. */
export interface HubListing {
  readonly repo: string;
  readonly license: string | undefined;
  readonly choices: readonly HubChoice[];
}

/**
 * What the hub has under a name that leaves a choice.
 *
 * @returns undefined where the model is something else
 * @throws {AtomoeError} bad-file - no such model; network
 */
export async function hubListing(model: string, signal: AbortSignal): Promise<HubListing | undefined> {
  const name = existsSync(model) ? undefined : parseHubName(model);
  if (!name || (name.file !== undefined && isWeightFile(name.file))) return undefined;
  const hubUrl = process.env['HF_ENDPOINT'];
  const found = await readHubModel(name, { headers: requestHeaders(), hubUrl, signal });
  return { repo: found.repo, license: found.license, choices: hubChoices(found, hubUrl) };
}

function requestHeaders(): Record<string, string> {
  return headersOf(process.env['ATOMOE_HEADERS'] ?? '');
}

/** Lines of `name: value`. */
function headersOf(lines: string): Record<string, string> {
  const pairs = lines.split('\n').filter((line) => line.trim() !== '');
  return Object.fromEntries(
    pairs.map((line) => {
      const colon = line.indexOf(':');
      if (colon > 0) return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
      throw new UsageError(
        'ATOMOE_HEADERS has a line without a name; wanted "name: value", as "authorization: Bearer ..."; correct it',
      );
    }),
  );
}

/** Opens an engine on the device that the command line names, without a model. */
export async function openEngine(
  args: Arguments,
  options: Pick<EngineOptions, 'streamTesting'> = {},
): Promise<LocalEngine> {
  const device = readDevice(args) ?? 'auto';
  const threads = args.has('threads') ? readThreads(args) : {};
  if (device === 'cpu' || device === 'reference') return LocalEngine.open({ ...options, ...threads, device });
  // Commands that compare numbers have no such option: with the default kernels their answers stay the same.
  const opening = openDawn('--device cpu');
  const gpu = await (device === 'auto' ? opening.catch(() => undefined) : opening);
  const tuning = readTuning(args) ?? (args.has('tuning') ? 'auto' : 'off');
  return LocalEngine.open({
    ...options,
    ...threads,
    device,
    ...(gpu ? { gpu } : {}),
    tuning,
    tuningStore: fileTuning(),
  });
}

/** How a command uses a model. */
export interface ModelUse extends Pick<EngineOptions, 'streamTesting'> {
  /** Over what the command line says. */
  readonly streaming?: StreamingOptions;
}

/**
 * Loads the model, uses it, and lets everything go, the folder's disk cache too: the process ends by itself.
 *
 * @param open - called once the options are known to be good
 * @throws {UsageError} - wrong options, before anything is opened
 */
export async function withModel<T>(
  open: () => Promise<FolderSource>,
  args: Arguments,
  terminal: Terminal,
  use: (engine: LocalEngine) => Promise<T>,
  { streaming = {}, ...engineOptions }: ModelUse = {},
): Promise<T> {
  refuseByReference(args);
  readThreads(args);
  const options = loadOptions(args);
  const folder = await open();
  try {
    const engine = await openEngine(args, engineOptions);
    try {
      const onProgress = (progress: LoadProgress) => terminal.status(describeProgress(progress));
      const merged = { ...options, streaming: { ...options.streaming, ...streaming } };
      await engine.load(folder, { ...merged, signal: terminal.signal, onProgress });
      terminal.status('');
      return await use(engine);
    } finally {
      engine.dispose();
    }
  } finally {
    if (isCached(folder)) await folder.dispose();
  }
}

function isCached(folder: FolderSource): folder is CachedFolder {
  return 'cache' in folder;
}

function describeProgress(progress: LoadProgress): string {
  switch (progress.kind) {
    case 'planning':
      return 'reading headers';
    case 'downloading':
      return `reading weights: ${formatBytes(progress.doneBytes)} of ${formatBytes(progress.totalBytes)}`;
    case 'compiling':
      return `compiling shaders: ${progress.donePipelines}`;
    case 'tuning':
      return `choosing kernels: ${progress.doneKernels} of ${progress.totalKernels}`;
    case 'ready':
      return '';
  }
}
