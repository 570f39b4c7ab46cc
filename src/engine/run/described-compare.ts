/** Compares the outputs of a described layer with the known answers of its file. */
import { AtomoeError } from '../../errors.ts';
import type { DescribedFile } from '../load/described-file.ts';
import type { DescribedOutputs } from './described-runner.ts';

/** One known answer. */
export interface DescribedCheck {
  readonly name: string; // `ids`, `weights.1`
  readonly error: number; // ids, tokens, bits, counts: how many differ; else the largest difference
  readonly tolerance: number;
  readonly of: number; // values
}

/** Tolerances of the known answers, by the kind of the output; whole numbers have to be equal. */
const TOLERANCES: Readonly<Record<string, number>> = {
  ids: 0,
  tokens: 0,
  bits: 0,
  counts: 0,
  weights: 1e-5,
  scores: 1e-4,
  state: 1e-5,
  y: 1e-4,
};

/**
 * The checks of the answers, of the only router or of each by its number; an answer without an output is wrong.
 *
 * @throws {AtomoeError} bad-file - an answer that nothing is compared with
 */
export function compareDescribed(
  file: Pick<DescribedFile, 'label' | 'expected' | 'description' | 'sequenceOffsets'>,
  outputs: DescribedOutputs,
): DescribedCheck[] {
  const none = file.description.experts ?? Infinity;
  return [...file.expected].map(([name, { values }]) => {
    const [kind = name] = name.split('.');
    const tolerance = TOLERANCES[kind];
    if (tolerance === undefined) {
      throw new AtomoeError(
        'bad-file',
        `${file.label}: expected.${name} is no known answer; wanted ${Object.keys(TOLERANCES).join(', ')}; rename it`,
      );
    }
    const found = outputs[name] ?? outputs[`${name}.0`];
    const check = (error: number) => ({ name, error, tolerance, of: values.length });
    if (kind === 'tokens') return check(wrongTokens(values, outputs['ids.0'] ?? [], none));
    const wanted = kind === 'counts' ? byToken(values, file.sequenceOffsets) : values;
    if (found?.length !== wanted.length) return check(Infinity);
    const errors = Array.from(wanted, (each, at) => errorOf(found[at] ?? NaN, each, kind, none));
    return check(tolerance === 0 ? errors.filter((each) => each > 0).length : Math.max(...errors));
  });
}

/** The number of its sequence for each token. */
function byToken(numbers: ArrayLike<number>, offsets: readonly number[]): number[] {
  return Array.from(numbers).flatMap((number, at) =>
    Array.from({ length: (offsets[at + 1] ?? 0) - (offsets[at] ?? 0) }, () => number),
  );
}

/** How many experts did not take the tokens [experts, places] of an answer; ids [tokens, most], pads are numbers that are none. */
function wrongTokens(wanted: ArrayLike<number>, ids: ArrayLike<number>, experts: number): number {
  const places = wanted.length / experts;
  const most = experts; // of choices by experts
  const tokens = ids.length / most;
  if (tokens === 0) return experts;
  return Array.from({ length: experts }, (_, expert) => {
    const answer = Array.from({ length: places }, (__, at) => wanted[expert * places + at] ?? tokens);
    const taken = Array.from({ length: tokens }, (__, token) => token).filter((token) =>
      Array.from({ length: most }, (___, at) => ids[token * most + at]).includes(expert),
    );
    const sorted = answer.filter((token) => token < tokens).toSorted((a, b) => a - b);
    return String(sorted) !== String(taken);
  }).filter(Boolean).length;
}

function errorOf(found: number, wanted: number, kind: string, none: number): number {
  if (kind === 'ids') return Number(found !== wanted && !(found >= none && wanted >= none));
  // Masked scores are minus infinity, or the lowest number.
  if (wanted < -1e37) return found < -1e37 ? 0 : Infinity;
  return Number.isNaN(found) ? Infinity : Math.abs(found - wanted);
}
