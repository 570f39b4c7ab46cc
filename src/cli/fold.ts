import { folded } from '../engine/reshape/fold.ts';
import { UsageError, type Arguments } from './arguments.ts';
import type { Command } from './command.ts';
import { JSON_OPTION } from './model.ts';
import { CALIBRATION_OPTIONS, checkCalibration, readUse, reshape } from './reshape.ts';
import { facts, formatBytes } from './words.ts';

const SHARED = 0.75;

/** Writes a model with one dense MLP in the place of each layer's experts. */
export const fold: Command = {
  name: 'fold',
  wants: ['MODEL', 'OUT'],
  summary: 'make one dense MLP of the experts of each layer',
  example: 'fold demo/public/models/fable-moe-12m folded --text README.md',
  options: {
    ...CALIBRATION_OPTIONS,
    shared: { value: 'X', help: `share of a shared expert, 0 to 1 (default ${SHARED})`, read: shareOf },
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const shared = shareOf(args);
    const isJudged = ['text', 'trace'].some((name) => args.text(name) !== undefined);
    if (isJudged) checkCalibration(args);
    const written = await reshape(args, terminal, async (source) =>
      folded(source.drafted, { shared, ...(isJudged ? { use: await readUse(source, args, terminal) } : {}) }),
    );
    const result = { folder: args.place(1), experts: isJudged ? 'by usage' : 'all alike', ...written };
    terminal.write(args.flag('json') ? `${JSON.stringify(result)}\n` : report(result));
    return true;
  },
};

function shareOf(args: Arguments): number {
  const shared = args.number('shared') ?? SHARED;
  if (shared >= 0 && shared <= 1) return shared;
  throw new UsageError(`--shared is ${shared}; wanted a number from 0 to 1`);
}

interface Result {
  readonly folder: string;
  readonly experts: string;
  readonly sizeBytes: number;
  readonly beforeBytes: number;
}

function report({ folder, experts, sizeBytes, beforeBytes }: Result): string {
  return facts([
    ['folder', folder],
    ['experts', `added up, ${experts}`],
    ['size', `${formatBytes(sizeBytes)}, before ${formatBytes(beforeBytes)}`],
  ]);
}
