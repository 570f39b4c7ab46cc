import { invariant } from '../errors.ts';
import type { TensorRows } from '../graph/tensor.ts';
import type { ExpertRows } from '../models/spec.ts';

const PLACEHOLDER = '{expert}';

/** The rows of `count` experts from `first` on: of a tensor of their own, or of one that all share. */
export function rowsOf(rows: ExpertRows, first: number, count: number): TensorRows {
  const { tensor, shape, start = 0 } = rows;
  const isOwn = tensor.includes(PLACEHOLDER);
  const perExpert = (isOwn ? shape : shape.slice(1))
    .slice(0, -1)
    .reduce((product, size) => product * size, 1);
  const { count: wanted = perExpert - start } = rows;
  invariant(
    count === 1 || (!isOwn && wanted === perExpert),
    () => `${tensor} has no rows of several experts`,
  );
  if (isOwn) {
    const name = tensor.replaceAll(PLACEHOLDER, String(first));
    return wanted === perExpert
      ? { tensor: name, shape }
      : { tensor: name, shape, rowStart: start, rowCount: wanted };
  }
  return { tensor, shape, rowStart: first * perExpert + start, rowCount: count * wanted };
}
