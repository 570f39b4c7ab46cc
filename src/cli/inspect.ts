import { readModel } from '../blocks/family.ts';
import { AtomoeError } from '../errors.ts';
import type { ModelPlan } from '../engine/api.ts';
import { fileTensors } from '../engine/load/checkpoint-check.ts';
import { textModelOf } from '../engine/load/text-model.ts';
import { LocalEngine } from '../engine/index.ts';
import type { Checkpoint, TensorInfo } from '../containers/checkpoint.ts';
import { openCheckpoint } from '../containers/index.ts';
import { openSafetensors } from '../containers/safetensors/open.ts';
import type { FolderSource } from '../io/source.ts';
import { isMoe, type BlockSpec, type ModelSpec, type MoeSpec } from '../models/spec.ts';
import type { Command } from './command.ts';
import { loadOptions, MODEL_FLAGS } from './load-flags.ts';
import { JSON_OPTION, openSource } from './model.ts';
import { sizeTable } from './plan-report.ts';
import { facts, formatBytes, formatCount, table } from './words.ts';

/** What a folder or file turns out to be. */
type Finding =
  | { readonly kind: 'model'; readonly spec: ModelSpec; readonly plan: ModelPlan }
  | { readonly kind: 'tensors'; readonly why: string };

/** Looks at headers only: what the model is, what it takes, which tensors it has. */
export const inspect: Command = {
  name: 'inspect',
  wants: ['MODEL'],
  summary: 'show spec, sizes and tensors; reads headers only',
  example: 'inspect demo/public/models/fable-moe-12m',
  options: { ...MODEL_FLAGS, ...JSON_OPTION },
  run: async (args, terminal) => {
    const options = loadOptions(args);
    const folder = await openSource(args.place(0));
    const { signal } = terminal;
    const checkpoint = await open(folder, signal);
    try {
      const tensors = [...checkpoint.names()].flatMap((name) => checkpoint.tensor(name) ?? []);
      const finding = await find(folder, checkpoint, { ...options, signal });
      if (args.flag('json')) {
        const { label, files, totalBytes, metadata } = checkpoint;
        terminal.write(`${JSON.stringify({ label, files, totalBytes, metadata, ...finding, tensors })}\n`);
      } else terminal.write(report(checkpoint, finding, tensors));
      return true;
    } finally {
      checkpoint.dispose();
    }
  },
};

/** A lone weight file without a config is no model, but its tensors can be listed. */
async function open(folder: FolderSource, signal: AbortSignal): Promise<Checkpoint> {
  if (
    folder.entry?.endsWith('.safetensors') &&
    !(await folder.open('config.json', { signal, isOptional: true }))
  ) {
    const file = await folder.open(folder.entry, { signal });
    if (file) return openSafetensors(file, { signal });
  }
  return openCheckpoint(folder, { signal });
}

async function find(
  folder: FolderSource,
  checkpoint: Checkpoint,
  options: Parameters<LocalEngine['plan']>[1],
): Promise<Finding> {
  const { config, label } = checkpoint;
  if (Object.keys(config).length === 0) return { kind: 'tensors', why: 'there is no config.json beside it' };
  const engine = await LocalEngine.open({ device: 'reference' });
  try {
    const text = await textModelOf(checkpoint);
    const { spec } = await readModel(text.config, label, [], fileTensors(text));
    return { kind: 'model', spec, plan: await engine.plan(folder, options ?? {}) };
  } catch (error) {
    // Of a family that Atomoe does not run, what the file holds is still worth seeing.
    if (error instanceof AtomoeError && error.code === 'unsupported-model') {
      return { kind: 'tensors', why: error.message };
    }
    throw error;
  } finally {
    engine.dispose();
  }
}

function report(checkpoint: Checkpoint, finding: Finding, tensors: readonly TensorInfo[]): string {
  const files = checkpoint.files
    .map(({ name, sizeBytes }) => `${name} (${formatBytes(sizeBytes)})`)
    .join(', ');
  const head =
    finding.kind === 'model'
      ? `${facts([['model', checkpoint.label], ['files', files], ...specFacts(finding.spec, checkpoint)])}\n${sizeTable(finding.plan)}`
      : `${facts([
          ['file', checkpoint.label],
          ['files', files],
        ])}\nno model: ${finding.why}\n`;
  return `${head}\n${tensorTable(tensors)}`;
}

/** What differs from layer to layer has a line for each form. */
function specFacts(spec: ModelSpec, checkpoint: Checkpoint): [string, string][] {
  const blocks = spec.layers.flatMap(({ sublayers }) => sublayers.map(({ block }) => block));
  const settings = (part: object) => settingsOf(part, (name) => checkpoint.tensor(name) !== undefined);
  const lines = blocks.flatMap((block) =>
    isMoe(block) ? moeFacts(block, settings) : [mixerFact(block, settings)],
  );
  const different = new Map(lines.map((line) => [line.join(), line]));
  return [
    ['family', spec.family],
    ['layers', `${spec.layers.length}, ${blocks.filter(isMoe).length} of them with experts`],
    ['hidden', formatCount(spec.hidden)],
    [
      'vocabulary',
      `${formatCount(spec.vocab)}${spec.head === spec.embedding ? ', embedding tied to the logits' : ''}`,
    ],
    ['context', `${formatCount(spec.maxContextTokens)} tokens`],
    ...different.values(),
  ];
}

function mixerFact({ kind, ...rest }: BlockSpec, settings: (part: object) => string): [string, string] {
  return [kind, settings(rest)];
}

function moeFacts(
  { experts, router, expert, shared }: MoeSpec,
  settings: (part: object) => string,
): [string, string][] {
  const { score, transform = [], select, weigh = {} } = router;
  const stages = [score, ...transform, select, weigh];
  const lines: [string, string][] = [
    ['experts', `${formatCount(experts)} a layer, ${settings(expert)}`],
    ['router', stages.map(settings).filter(Boolean).join(', ')],
  ];
  return shared ? [...lines, ['shared', `${settings(shared)}${shared.gate ? ', gated' : ''}`]] : lines;
}

/** The kind of a part of a spec, and its numbers and words; not where its tensors are. */
function settingsOf(part: object, isTensor: (name: string) => boolean): string {
  const words: string[] = [];
  for (const [key, value] of Object.entries(part)) {
    if (key === 'kind') words.unshift(String(value));
    else if (typeof value === 'number' || (typeof value === 'string' && !isTensor(value)))
      words.push(`${key} ${value}`);
  }
  return words.join(', ');
}

function tensorTable(tensors: readonly TensorInfo[]): string {
  const rows = tensors.map(({ name, dtype, shape, sizeBytes }) => [
    name,
    dtype,
    `[${shape.join(', ')}]`,
    formatBytes(sizeBytes),
  ]);
  const total = tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const last = [`${formatCount(tensors.length)} tensors`, '', '', formatBytes(total)];
  return table([['tensor', 'dtype', 'shape', 'size'], ...rows, last], ['left', 'left', 'left', 'right']);
}
