/** What the commands share that make a model of another one. */
import { readFile } from 'node:fs/promises';
import { readTokenizer } from '../engine/load/model-info.ts';
import { draftModel, type Drafted } from '../engine/load/planning.ts';
import { Calibration } from '../engine/reshape/calibrate.ts';
import type { ReshapedModel } from '../engine/reshape/reshaped.ts';
import { AtomoeError } from '../errors.ts';
import { useOfTrace, type ExpertUse } from '../experts/study/saliency.ts';
import { safetensorsPieces, safetensorsSize } from '../containers/safetensors-writer.ts';
import { decodeUtf8 } from '../io/json-file.ts';
import { readExactly } from '../io/read.ts';
import type { FolderSource } from '../io/source.ts';
import { UsageError, type Arguments, type Options } from './arguments.ts';
import { reasonOf } from './files.ts';
import { openSource } from './model.ts';
import { assertEmpty, folderSink } from './out-folder.ts';
import { COPIED_FILES } from './pack.ts';
import { readTrace } from './simulate.ts';
import type { Terminal } from './terminal.ts';
import { formatBytes, formatCount } from './words.ts';

const MOST_TOKENS = 2048;

/** Texts that experts are judged by. */
export const TEXT_OPTIONS = {
  text: { value: 'FILE', help: 'text to judge the experts by', read: (args, name) => args.path(name) },
  tokens: {
    value: 'N',
    help: `of the text at most (default ${MOST_TOKENS})`,
    read: readTokens,
  },
} as const satisfies Options;

/** @throws {UsageError} - no count, or there is no text */
function readTokens(args: Arguments, name: string): number {
  if (args.text(name) !== undefined && (args.text('text') ?? args.text('calibrate')) === undefined) {
    throw new UsageError(`--${name} has no effect without a text; wanted one; leave it out`);
  }
  return args.count(name, MOST_TOKENS);
}

/** Or traces. */
export const CALIBRATION_OPTIONS = {
  ...TEXT_OPTIONS,
  trace: {
    value: 'FILE',
    help: 'or recorded routes, which have usage only',
    read: (args, name) => args.path(name),
  },
} as const satisfies Options;

/** A model that is made into another. */
export interface Source {
  readonly folder: FolderSource;
  readonly drafted: Drafted;
}

/** Makes a model of the first argument into one in the second, and writes that. */
export async function reshape(
  args: Arguments,
  terminal: Terminal,
  make: (source: Source) => Promise<ReshapedModel>,
): Promise<{ readonly label: string; readonly sizeBytes: number; readonly beforeBytes: number }> {
  const [model, out] = [args.place(0), args.place(1)];
  await assertEmpty(out);
  const folder = await openSource(model, undefined, { isConfined: true });
  const drafted = await draftModel(folder, { signal: terminal.signal });
  try {
    const made = await make({ folder, drafted });
    const sizeBytes = await writeModel(out, folder, made, terminal);
    terminal.status('');
    return { label: drafted.checkpoint.label, sizeBytes, beforeBytes: drafted.checkpoint.totalBytes };
  } finally {
    drafted.checkpoint.dispose();
  }
}

/** Weights, then the config: without it the folder is no model. */
async function writeModel(
  out: string,
  folder: FolderSource,
  { config, tensors }: ReshapedModel,
  { signal, status }: Terminal,
): Promise<number> {
  const sink = folderSink(out);
  const totalBytes = safetensorsSize(tensors);
  const file = await sink.create('model.safetensors');
  let doneBytes = 0;
  try {
    for await (const piece of safetensorsPieces(tensors)) {
      signal.throwIfAborted();
      await file.write(piece);
      status(`writing: ${formatBytes((doneBytes += piece.byteLength))} of ${formatBytes(totalBytes)}`);
    }
  } finally {
    await file.close();
  }
  for (const name of COPIED_FILES) {
    if (name === 'config.json' || name === 'golden.json') continue; // which are of the model before
    const copied = await folder.open(name, { signal, isOptional: true });
    if (!copied) continue;
    await sink.commit(name, await readExactly(copied, 0, copied.sizeBytes, { signal }));
    copied.dispose?.();
  }
  await sink.commit('config.json', new TextEncoder().encode(`${JSON.stringify(config, undefined, 2)}\n`));
  return totalBytes;
}

/**
 * What the experts do with the text or the trace of the command line.
 *
 * @throws {UsageError} - neither or both are given; {AtomoeError} as for opening them
 */
export async function readUse(
  { folder, drafted }: Source,
  args: Arguments,
  terminal: Terminal,
): Promise<ExpertUse[]> {
  const path = args.path('trace');
  if (path === undefined)
    return (await openCalibration(drafted, terminal)).expertUse(
      await readTexts({ folder, drafted }, args),
      progress(terminal),
    );
  const { numbers, expertLayers } = drafted;
  const trace = await readTrace(path, numbers?.count ?? expertLayers[0]?.experts);
  return useOfTrace(trace, numbers && trace.units === numbers.count ? numbers.ids : undefined);
}

/** @throws {UsageError} - neither or both of --text and --trace are given */
export function checkCalibration(args: Arguments): void {
  const given = ['text', 'trace'].filter((name) => args.text(name) !== undefined);
  if (given.length === 1) return;
  throw new UsageError(
    `--text and --trace are ${given.length === 0 ? 'missing' : 'both given'}; wanted one of them`,
  );
}

/** A model in memory, to run texts through. */
export async function openCalibration(drafted: Drafted, terminal: Terminal): Promise<Calibration> {
  terminal.status('reading weights');
  return Calibration.open(drafted);
}

/** The options of a run that shows how far it is. */
export function progress({ signal, status }: Terminal) {
  const onProgress = (done: number, total: number) =>
    status(`calibrating: ${formatCount(done)} of ${formatCount(total)} tokens`);
  return { signal, onProgress };
}

/**
 * The text of the command line as tokens.
 *
 * @throws {AtomoeError} bad-input - the file cannot be read, or has no text; bad-file - the model has no tokenizer
 */
export async function readTexts(
  { folder, drafted }: Source,
  args: Arguments,
  option: 'text' | 'calibrate' = 'text',
): Promise<number[][]> {
  const path = args.path(option) ?? '';
  const tokenizer = await readTokenizer(folder, drafted, undefined);
  if (!tokenizer) {
    throw new AtomoeError(
      'bad-file',
      `${folder.label} has no tokenizer.json, which --${option} needs; download it too${option === 'text' ? ', or give --trace' : ''}`,
    );
  }
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new AtomoeError(
      'bad-input',
      `--${option} ${path} cannot be read: ${reasonOf(cause)}; give a text file`,
      { cause },
    );
  });
  const text = decodeUtf8(new Uint8Array(bytes), path);
  // A tokenizer may put a token before no text at all.
  if (text.trim() !== '') return [tokenizer.encode(text).slice(0, args.count('tokens', MOST_TOKENS))];
  throw new AtomoeError(
    'bad-input',
    `--${option} ${path} has no text; give some pages of what the model will be used for`,
  );
}
