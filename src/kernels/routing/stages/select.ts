import all from '../../../../shaders/lib/select-all.wgsl?raw';
import max from '../../../../shaders/lib/select-max.wgsl?raw';
import twoBest from '../../../../shaders/lib/select-two-best.wgsl?raw';
import { MASKED, type SelectStage, type StageParams } from './stage.ts';

/** The built-in selections: all experts, or those of the groups with the largest best value, or the largest sum of two best. */
export const SELECTIONS = {
  all: { name: 'all', role: 'select', over: 'expert', wgsl: all, reference: () => {} },
  max: {
    name: 'max',
    role: 'select',
    over: 'groups',
    wgsl: max,
    reference: (row, params) => maskGroups(row, params, (group) => Math.max(...group)),
  },
  'two-best': {
    name: 'two-best',
    role: 'select',
    over: 'groups',
    wgsl: twoBest,
    reference: (row, params) => maskGroups(row, params, sumOfTwoBest),
  },
} as const satisfies Readonly<Record<string, SelectStage>>;

const LEAST_IN_PAIR = -1e38; // the sum of two masked values would overflow

function sumOfTwoBest(group: Float64Array): number {
  const [first = 0, second] = group.toSorted().reverse();
  if (second === undefined) return first;
  return Math.fround(Math.max(first, LEAST_IN_PAIR) + Math.max(second, LEAST_IN_PAIR));
}

/** Masks the experts of all groups except the `keep` best; ties go to the lower group. */
export function maskGroups(
  row: Float64Array,
  { groups, keep }: Pick<StageParams, 'groups' | 'keep'>,
  worth: (group: Float64Array) => number,
): void {
  const size = row.length / groups;
  const values = Float64Array.from({ length: groups }, (_, g) =>
    worth(row.subarray(g * size, (g + 1) * size)),
  );
  const kept = new Set(largest(values, keep));
  for (let e = 0; e < row.length; e += 1) {
    if (!kept.has(Math.floor(e / size))) row[e] = MASKED;
  }
}

/** The indices of the `count` largest values above `limit`, largest first, on ties the lower index. */
export function largest(values: Float64Array, count: number, limit = -Infinity): number[] {
  const best: { readonly value: number; readonly index: number }[] = [];
  for (const [index, value] of values.entries()) {
    if (!(value > limit)) continue;
    const place = best.findIndex((other) => value > other.value);
    best.splice(place < 0 ? best.length : place, 0, { value, index });
    if (best.length > count) best.pop();
  }
  return best.map(({ index }) => index);
}
