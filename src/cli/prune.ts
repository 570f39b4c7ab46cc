import { chooseExperts, pruned } from '../engine/reshape/prune.ts';
import {
  rankCorrelation,
  saliencyOf,
  SALIENCY_NAMES,
  type ExpertUse,
  type SaliencyName,
} from '../experts/study/saliency.ts';
import { UsageError, type Arguments } from './arguments.ts';
import type { Command } from './command.ts';
import { JSON_OPTION } from './model.ts';
import { CALIBRATION_OPTIONS, checkCalibration, readUse, reshape } from './reshape.ts';
import { facts, formatBytes, formatCount } from './words.ts';

/** Writes a model with the most useful experts of each layer. */
export const prune: Command = {
  name: 'prune',
  wants: ['MODEL', 'OUT'],
  summary: 'keep the most useful experts; also merge, fold, carve',
  example: 'prune demo/public/models/fable-moe-12m pruned --keep 24 --text README.md',
  options: {
    keep: { value: 'M', help: 'experts of each layer to keep', read: keepOf },
    by: {
      value: 'NAME',
      help: `${SALIENCY_NAMES.join(', ')} (default reap; of a trace usage)`,
      read: saliency,
    },
    ...CALIBRATION_OPTIONS,
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const [count, by] = [keepOf(args), saliency(args)];
    checkCalibration(args);
    let kept: number[][] = [];
    let use: ExpertUse[] = [];
    const written = await reshape(args, terminal, async (source) => {
      use = await readUse(source, args, terminal);
      kept = chooseExperts(source.drafted, use, count, by);
      return pruned(source.drafted, kept);
    });
    const result: Result = {
      folder: args.place(1),
      by,
      experts: use[0]?.uses.length ?? 0,
      kept,
      ...written,
      use,
    };
    terminal.write(args.flag('json') ? asJson(result) : report(result));
    return true;
  },
};

function keepOf(args: Arguments): number {
  if (args.text('keep') === undefined)
    throw new UsageError('--keep is missing; wanted the number of experts to keep');
  return args.count('keep', 1);
}

/** @throws {UsageError} - a name that is none, or one that a trace does not have */
function saliency(args: Arguments): SaliencyName {
  const isTrace = args.text('trace') !== undefined;
  const by = args.choice('by', SALIENCY_NAMES) ?? (isTrace ? 'usage' : 'reap');
  if (!isTrace || by === 'usage') return by;
  throw new UsageError(
    `--by ${by} reads outputs of experts, which a trace has not; wanted --by usage, or --text`,
  );
}

interface Result {
  readonly folder: string;
  readonly label: string;
  readonly by: SaliencyName;
  readonly experts: number;
  readonly kept: readonly (readonly number[])[];
  readonly use: readonly ExpertUse[];
  readonly sizeBytes: number;
  readonly beforeBytes: number;
}

/** The share of all uses, or of all weighed outputs, that the kept experts had. */
function shareOf(kept: Result['kept'], of: (layer: number) => Float64Array): number {
  let [part, whole] = [0, 0];
  for (const [layer, ids] of kept.entries()) {
    const values = of(layer);
    for (const id of ids) part += values[id] ?? 0;
    whole += values.reduce((sum, value) => sum + value, 0);
  }
  return part / whole;
}

function asJson({ use, ...result }: Result): string {
  const layers = use.map((sums) =>
    SALIENCY_NAMES.map((name) => [name, [...saliencyOf(sums, name)]] as const),
  );
  return `${JSON.stringify({ ...result, saliency: layers.map((each) => Object.fromEntries(each)) })}\n`;
}

function report({ folder, by, experts, kept, use, sizeBytes, beforeBytes }: Result): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const uses = shareOf(kept, (layer) => use[layer]?.uses ?? new Float64Array());
  const weighed = shareOf(kept, (layer) => use[layer]?.weighed ?? new Float64Array());
  const alike = use.map((sums) => rankCorrelation(saliencyOf(sums, by), sums.uses));
  const mean = alike.reduce((sum, each) => sum + each, 0) / alike.length;
  return facts([
    ['folder', folder],
    [
      'experts',
      `${formatCount(kept[0]?.length ?? 0)} of ${formatCount(experts)} in each of ${kept.length} layers, by ${by}`,
    ],
    ['uses kept', percent(uses)],
    ...(by === 'usage'
      ? []
      : ([
          ['outputs kept', `${percent(weighed)} of all weight times length`],
          ['order', `${mean.toFixed(2)} rank correlation with usage`],
        ] as const)),
    ['size', `${formatBytes(sizeBytes)}, before ${formatBytes(beforeBytes)}`],
  ]);
}
