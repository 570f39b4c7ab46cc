/** What the commands that run a model share. */
import { LocalEngine } from '../engine/index.ts';
import type { LoadOptions, LoadProgress } from '../engine/api.ts';
import { openFolder } from '../io/folder.ts';
import { nodeFolder } from '../io/node-file.ts';
import type { FolderSource } from '../io/source.ts';
import type { Arguments, Options } from './arguments.ts';
import { openDawn } from './dawn.ts';
import { fileTuning } from './tuning-file.ts';
import type { Terminal } from './terminal.ts';
import { formatBytes } from './words.ts';

export const DEVICE_OPTION = {
  device: {
    value: 'gpu|cpu',
    help: 'where to compute (default gpu)',
  },
} as const satisfies Options;

export const LOAD_OPTIONS = {
  ...DEVICE_OPTION,
  context: { value: 'N', help: 'tokens that the KV cache holds' },
  quantize: { value: 'q8_0|q4_0', help: 're-encode weights while loading, but not packed experts' },
} as const satisfies Options;

export const TUNING_OPTION = {
  tuning: { value: 'auto|off', help: 'time kernels once per adapter (default auto)' },
} as const satisfies Options;

export const JSON_OPTION = { json: { help: 'print JSON' } } as const satisfies Options;

/** A folder, a weight file, or the URL of either. */
export async function openSource(model: string): Promise<FolderSource> {
  return /^https?:\/\//i.test(model) ? openFolder(model) : nodeFolder(model);
}

export function loadOptions(args: Arguments): LoadOptions {
  const quantize = args.choice('quantize', ['q8_0', 'q4_0']);
  return {
    ...(args.text('context') === undefined ? {} : { contextTokens: args.count('context', 1) }),
    ...(quantize ? { quantize } : {}),
  };
}

/** Opens an engine on the device that the command line names, without a model. */
export async function openEngine(args: Arguments): Promise<LocalEngine> {
  const device = args.choice('device', ['gpu', 'cpu']) ?? 'gpu';
  if (device === 'cpu') return LocalEngine.open({ device });
  // Commands that compare numbers have no such option: with the default kernels their answers stay the same.
  const tuning = args.choice('tuning', ['auto', 'off']) ?? (args.has('tuning') ? 'auto' : 'off');
  return LocalEngine.open({ device, gpu: await openDawn(), tuning, tuningStore: fileTuning() });
}

/** Loads the model, uses it, and lets everything go: the process ends by itself. */
export async function withModel<T>(
  folder: FolderSource,
  args: Arguments,
  terminal: Terminal,
  use: (engine: LocalEngine) => Promise<T>,
): Promise<T> {
  const engine = await openEngine(args);
  try {
    const onProgress = (progress: LoadProgress) => terminal.status(describeProgress(progress));
    await engine.load(folder, { ...loadOptions(args), signal: terminal.signal, onProgress });
    terminal.status('');
    return await use(engine);
  } finally {
    engine.dispose();
  }
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
