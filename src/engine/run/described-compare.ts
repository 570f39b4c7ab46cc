/** Compares the outputs of a described layer with the known answers of its file. */
import type { DescribedFile } from '../load/described-file.ts';
import type { DescribedOutputs } from './described-runner.ts';

/** One known answer. */
export interface DescribedCheck {
  readonly name: string; // `ids`, `weights.1`
  readonly error: number; // ids: how many differ; else the largest difference
  readonly tolerance: number;
  readonly of: number; // values
}

/** Tolerances of the known answers, by the kind of the output; ids have to be equal. */
const TOLERANCES: Readonly<Record<string, number>> = {
  ids: 0,
  tokens: 0,
  weights: 1e-5,
  scores: 1e-4,
  state: 1e-5,
  y: 1e-4,
};

/** The checks of the answers, of the only router or of each by its number; an answer without an output is wrong. */
export function compareDescribed(
  { expected, description }: Pick<DescribedFile, 'expected' | 'description'>,
  outputs: DescribedOutputs,
): DescribedCheck[] {
  const none = description.experts ?? Infinity;
  return [...expected].flatMap(([name, { values }]) => {
    const [kind = name] = name.split('.');
    const tolerance = TOLERANCES[kind];
    const found = outputs[name] ?? outputs[`${name}.0`];
    if (tolerance === undefined) return []; // `bits` and `counts`: they show in y
    if (kind === 'tokens') {
      const error = wrongTokens(values, outputs['ids.0'] ?? [], none);
      return [{ name, error, tolerance, of: values.length }];
    }
    const isSame = found?.length === values.length;
    const errors = Array.from(values, (wanted, at) => errorOf(found?.[at] ?? NaN, wanted, kind, none));
    const error = !isSame
      ? Infinity
      : kind === 'ids'
        ? errors.filter((each) => each > 0).length
        : Math.max(...errors);
    return [{ name, error, tolerance, of: values.length }];
  });
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
