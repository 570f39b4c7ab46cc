import { isDeepStrictEqual } from 'node:util';
import { draftModel, type Drafted } from '../engine/load/planning.ts';
import { denseNames } from '../engine/load/dense-names.ts';
import { AtomoeError } from '../errors.ts';
import type { PackManifest } from '../containers/pack/manifest.ts';
import { writePack, type PackContents, type RecordSource } from '../containers/pack/writer.ts';
import { copyTensor } from '../containers/safetensors-writer.ts';
import { baseName } from '../io/names.ts';
import type { FileSource, FolderSource } from '../io/source.ts';
import { quantizedNames } from '../weights/formats/index.ts';
import { formatsText } from '../weights/record.ts';
import type { Arguments } from './arguments.ts';
import type { Command } from './command.ts';
import { orderByTrace } from './pack-order.ts';
import { assertEmpty, folderSink } from './out-folder.ts';
import { SOME_FORMATS } from './load-flags.ts';
import { JSON_OPTION, openSource } from './model.ts';
import type { Terminal } from './terminal.ts';
import { facts, formatBytes, formatCount } from './words.ts';

/** What a packed model takes along as it is, where the model has it. */
export const COPIED_FILES = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'golden.json', // so that `verify` can tell whether the pack is the model
];

/** Rewrites a model so that each expert is one contiguous record, to be read on its own. */
export const pack: Command = {
  name: 'pack',
  wants: ['MODEL', 'OUT'],
  summary: 'write a folder in which each expert is one read',
  example: 'pack demo/public/models/fable-moe-12m packed',
  options: {
    quantize: {
      value: 'FORMAT',
      help: `re-encode the experts (${SOME_FORMATS}), nothing else`,
      read: readFormat,
    },
    split: {
      value: 'BYTES',
      help: 'largest file of experts, as 512MB (default 1GiB)',
      read: (args, name) => args.bytes(name),
    },
    trace: {
      value: 'FILE',
      help: 'recorded routes: put experts used together side by side',
      read: (args, name) => args.path(name),
    },
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const [model, out] = [args.place(0), args.place(1)];
    await assertEmpty(out);
    const folder = await openSource(model, undefined, { isConfined: true });
    const quantize = readFormat(args);
    const { signal } = terminal;
    const drafted = await draftModel(folder, { signal, ...(quantize ? { quantize } : {}) });
    try {
      const contents = await contentsOf(folder, drafted, args.path('trace'));
      const manifest = await write(out, contents, args, terminal);
      terminal.status('');
      terminal.write(
        args.flag('json') ? `${JSON.stringify(summary(out, manifest))}\n` : report(out, manifest),
      );
      return true;
    } finally {
      drafted.checkpoint.dispose();
    }
  },
};

function readFormat(args: Arguments) {
  return args.choice('quantize', quantizedNames());
}

async function contentsOf(
  folder: FolderSource,
  drafted: Drafted,
  trace: string | undefined,
): Promise<PackContents> {
  const { checkpoint, context } = drafted;
  const { label, totalBytes, metadata } = checkpoint;
  const records = recordsOf(drafted);
  const experts = trace === undefined ? records : { ...records, order: await orderByTrace(trace, drafted) };
  const { signal } = context;
  const dense = [...denseNames(drafted)].map((name) => copyTensor(checkpoint, name, { signal }));
  const opened = await Promise.all(
    COPIED_FILES.map((name) => folder.open(name, { signal, isOptional: true })),
  );
  return {
    source: { label: publicLabel(label), totalBytes },
    dense,
    metadata,
    experts,
    copies: opened.filter((file): file is FileSource => file !== undefined),
  };
}

/** Packs are given away: neither the folders of this disk nor a URL's secrets belong into one. */
function publicLabel(label: string): string {
  if (!URL.canParse(label)) return baseName(label.replaceAll('\\', '/').replace(/\/+$/, ''));
  const { origin, pathname } = new URL(label);
  return origin + pathname;
}

/**
 * Where the records to be packed come from.
 *
 * @throws {AtomoeError} unsupported-model - there are none, or they differ from layer to layer; bad-input - of a packed model
 */
export function recordsOf({ checkpoint, context, experts, spec }: Drafted): RecordSource {
  if (!experts) {
    throw new AtomoeError(
      'unsupported-model',
      `${checkpoint.label}: this ${spec.family} model has no routed experts, at least one layer of them is wanted; ` +
        `use it as it is`,
    );
  }
  const { layers, unitsPerLayer } = experts;
  const layout = experts.layout(0);
  for (let layer = 1; layer < layers; layer += 1) {
    if (experts.units(layer) === unitsPerLayer && isDeepStrictEqual(experts.layout(layer), layout)) continue;
    throw new AtomoeError(
      'unsupported-model',
      `${checkpoint.label}: layers 0 and ${layer} of those with experts differ in their experts; packed models have layers ` +
        'of one kind; use the model as it is',
    );
  }
  if (checkpoint.records && context.quantize) {
    throw new AtomoeError(
      'bad-input',
      `${checkpoint.label} is packed already, its experts are ${formatsText(layout)} and --quantize ${context.quantize} ` +
        `would not change them; pack the model that it was made of`,
    );
  }
  const { order } = experts; // of a pack that is packed again
  const read = (layer: number, unit: number) => experts.read(layer, unit, context.signal);
  return { layout, layers, unitsPerLayer, order, read };
}

async function write(
  out: string,
  contents: PackContents,
  args: Arguments,
  { signal, status }: Terminal,
): Promise<PackManifest> {
  const splitBytes = args.bytes('split');
  const options = {
    signal,
    ...(splitBytes === undefined ? {} : { splitBytes }),
    onProgress: (doneBytes: number, totalBytes: number) =>
      status(`packing: ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`),
  };
  try {
    return await writePack(folderSink(out), contents, options);
  } finally {
    for (const file of contents.copies) file.dispose?.();
  }
}

/** The manifest without its hashes. */
function summary(out: string, manifest: PackManifest) {
  const { source, denseBytes, layout, layers, unitsPerLayer, files, places } = manifest;
  return {
    folder: out,
    source,
    denseBytes,
    layout,
    layers,
    unitsPerLayer,
    files,
    isPlaced: places !== undefined,
  };
}

function report(out: string, manifest: PackManifest): string {
  const { denseBytes, layout, layers, unitsPerLayer, files, places } = manifest;
  const records = `${formatCount(layers * unitsPerLayer)} records of ${formatBytes(layout.sizeBytes)}, ${formatsText(layout)}`;
  const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return facts([
    ['folder', out],
    ['dense', formatBytes(denseBytes)],
    ['experts', `${records}: ${layers} layers of ${unitsPerLayer}`],
    ...(places ? [['order', 'experts used together side by side'] as const] : []),
    ['files', `${formatCount(files.length)} of experts, ${formatBytes(bytes)}`],
    ['in all', `${formatBytes(denseBytes + bytes)}`],
  ]);
}
