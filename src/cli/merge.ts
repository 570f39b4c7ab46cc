import { groupExperts, merged, type Groups } from '../engine/reshape/merge.ts';
import { UsageError, type Arguments } from './arguments.ts';
import type { Command } from './command.ts';
import { JSON_OPTION } from './model.ts';
import { openCalibration, progress, readTexts, reshape, TEXT_OPTIONS } from './reshape.ts';
import { facts, formatBytes, formatCount } from './words.ts';

/** Writes a model in which several experts of the router are one. */
export const merge: Command = {
  name: 'merge',
  wants: ['MODEL', 'OUT'],
  summary: 'merge experts that the router scores alike',
  example: 'merge demo/public/models/fable-moe-12m merged --into 16 --text README.md',
  options: {
    into: { value: 'M', help: 'experts of each layer afterwards', read: countOf },
    ...TEXT_OPTIONS,
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const count = countOf(args);
    if (args.text('text') === undefined) throw new UsageError('--text is missing; wanted a text file');
    let groups: Groups[] = [];
    const written = await reshape(args, terminal, async (source) => {
      const texts = await readTexts(source, args);
      const calibration = await openCalibration(source.drafted, terminal);
      groups = await groupExperts(source.drafted, calibration, count, { texts, ...progress(terminal) });
      return merged(source.drafted, groups);
    });
    const result: Result = { folder: args.place(1), groups, ...written };
    terminal.write(args.flag('json') ? asJson(result) : report(result));
    return true;
  },
};

function countOf(args: Arguments): number {
  if (args.text('into') === undefined)
    throw new UsageError('--into is missing; wanted the number of experts to be left');
  return args.count('into', 1);
}

interface Result {
  readonly folder: string;
  readonly label: string;
  readonly groups: readonly Groups[];
  readonly sizeBytes: number;
  readonly beforeBytes: number;
}

function asJson({ groups, ...result }: Result): string {
  const layers = groups.map(({ alias, leaders, uses }) => ({ alias, leaders, uses: [...uses] }));
  return `${JSON.stringify({ ...result, layers })}\n`;
}

function report({ folder, groups, sizeBytes, beforeBytes }: Result): string {
  const [{ alias, leaders } = { alias: [], leaders: [] }] = groups;
  const largest = Math.max(...groups.flatMap((group) => sizesOf(group)));
  return facts([
    ['folder', folder],
    [
      'experts',
      `${formatCount(leaders.length)} of ${formatCount(alias.length)} names in each of ${groups.length} layers`,
    ],
    ['largest group', `${largest} experts`],
    ['size', `${formatBytes(sizeBytes)}, before ${formatBytes(beforeBytes)}`],
  ]);
}

function sizesOf({ alias, leaders }: Groups): number[] {
  return leaders.map((_, group) => alias.filter((own) => own === group).length);
}
