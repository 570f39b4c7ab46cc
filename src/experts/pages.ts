/** Pages: experts that are too small to fetch and evict one by one are kept together, this many grid rows a page. */

/** A page that is one grid row is at least so large: small enough that a cache of some pages pays. */
const MIN_ROW_PAGE_BYTES = 16 * 1024;

/** Shorter grid rows are gathered up to this many bytes: below it a read costs its round trip, not its bytes. */
const MIN_GATHERED_PAGE_BYTES = 64 * 1024;

/**
 * Experts of a page: a grid row where it has `MIN_ROW_PAGE_BYTES`, else whole grid rows that divide the table, enough of
 * them for `MIN_GATHERED_PAGE_BYTES`. Where the experts form no square, a row is one expert.
 */
export function pageSize(experts: number, expertBytes: number): number {
  const side = Math.sqrt(experts);
  const row = Number.isInteger(side) ? side : 1;
  if (row * expertBytes >= MIN_ROW_PAGE_BYTES) return row;
  for (let rows = 1; rows <= experts / row; rows += 1) {
    const isDivisor = (experts / row) % rows === 0;
    const size = rows * row;
    if (isDivisor && (size * expertBytes >= MIN_GATHERED_PAGE_BYTES || size === experts)) return size;
  }
  return experts;
}
