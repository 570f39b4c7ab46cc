import { carvable, carved, inOrder } from '../engine/reshape/carve.ts';
import { divideByUse } from '../engine/reshape/divide.ts';
import { wrongCarving, type Carving } from '../engine/load/reshaped-model.ts';
import { UsageError, type Arguments } from './arguments.ts';
import type { Command } from './command.ts';
import { JSON_OPTION } from './model.ts';
import { openCalibration, progress, readTexts, reshape, TEXT_OPTIONS } from './reshape.ts';
import { facts, formatBytes, formatCount } from './words.ts';

/** Writes a dense model with shared and routed experts in the place of its MLPs. */
export const carve: Command = {
  name: 'carve',
  wants: ['MODEL', 'OUT'],
  summary: 'make shared and routed experts of the MLPs of a dense model',
  example: 'carve dense-model carved --experts 8 --shared 3 --active 3 --calibrate README.md',
  options: {
    experts: { value: 'N', help: 'parts of each MLP, of 4 neurons or a multiple', read: carvingOf },
    shared: { value: 'S', help: 'of them, for all tokens', read: carvingOf },
    active: { value: 'K', help: 'of the others, for each token', read: carvingOf },
    calibrate: {
      value: 'FILE',
      help: 'text to divide neurons by (default: in their order)',
      read: (args, name) => args.path(name),
    },
    tokens: TEXT_OPTIONS.tokens,
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const carving = carvingOf(args);
    const isCalibrated = args.text('calibrate') !== undefined;
    let widths: readonly number[] = [];
    const written = await reshape(args, terminal, async (source) => {
      const { drafted } = source;
      widths = carvable(drafted, carving).map(({ width }) => width);
      if (!isCalibrated)
        return carved(
          drafted,
          carving,
          widths.map((width) => inOrder(width, carving)),
        );
      const texts = await readTexts(source, args, 'calibrate');
      const calibration = await openCalibration(drafted, terminal);
      const options = { texts, ...progress(terminal) };
      return carved(drafted, carving, await divideByUse(drafted, carving, calibration, options));
    });
    const by = isCalibrated ? 'use' : 'order';
    const result = { folder: args.place(1), by, ...carving, widths, ...written } as const;
    terminal.write(args.flag('json') ? `${JSON.stringify(result)}\n` : report(result));
    return true;
  },
};

/** @throws {UsageError} */
function carvingOf(args: Arguments): Carving {
  const count = (name: 'experts' | 'shared' | 'active', what: string) => {
    const value = args.number(name);
    if (value !== undefined) return value;
    throw new UsageError(`--${name} is missing; wanted ${what}`);
  };
  const carving = {
    experts: count('experts', 'the number of parts of each MLP'),
    shared: count('shared', 'how many of them every token uses, which may be 0'),
    active: count('active', 'how many of the others a token uses'),
  };
  const why = wrongCarving(carving);
  if (why === undefined) return carving;
  throw new UsageError(`--${why}`);
}

interface Result extends Carving {
  readonly folder: string;
  readonly by: 'use' | 'order';
  readonly widths: readonly number[];
  readonly sizeBytes: number;
  readonly beforeBytes: number;
}

function report({ folder, by, experts, shared, active, widths, sizeBytes, beforeBytes }: Result): string {
  const routed = experts - shared;
  return facts([
    ['folder', folder],
    [
      'experts',
      `${formatCount(shared)} shared and ${formatCount(active)} of ${formatCount(routed)} for a token, in each of ${widths.length} layers`,
    ],
    ['neurons', by === 'use' ? 'divided by their activations' : 'divided in their order'],
    ['MLPs', `${((100 * (shared + active)) / experts).toFixed(1)} % of their weights for a token`],
    ['size', `${formatBytes(sizeBytes)}, before ${formatBytes(beforeBytes)}`],
  ]);
}
