/**
 * The experts of one layer in a few letters. A product router scores a row and a column of the grid and adds the two, so the
 * experts that it takes are a staircase: sorted by their number, the columns of each row are some of those of the row before.
 */

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const BITS = 6; // of one letter

/** A letter names a row, so the grid has at most so many. */
const MOST_ROWS = 1 << BITS;

/**
 * Writes experts as `R`, then each row: its letter, and a bit for each column of the row before (of the first row: of the
 * grid). With `C`, rows and columns have changed places; the shorter of the two is taken.
 *
 * @param ids - experts of one layer, each once, in any order: row * grid + column
 * @param grid - rows, and columns, of the grid; 64 at most
 * @throws {Error} where the experts are no staircase, or the grid is too wide
 */
export function packRoutes(ids: readonly number[], grid: number): string {
  if (grid > MOST_ROWS) throw new Error(`a grid of ${grid} rows; at most ${MOST_ROWS} can be written`);
  const byRow = pack('R', ids, grid);
  const turned = ids.map((id) => (id % grid) * grid + Math.floor(id / grid));
  const byColumn = pack('C', turned, grid);
  return byColumn.length < byRow.length ? byColumn : byRow;
}

/** Reads what `packRoutes` wrote: the experts, row after row. */
export function unpackRoutes(text: string, grid: number): number[] {
  const ids: number[] = [];
  let columns = firstColumns(grid);
  for (let at = 1; at < text.length;) {
    const row = valueAt(text, at++);
    const start = at;
    at += Math.ceil(columns.length / BITS);
    columns = columns.filter((_, bit) => (valueAt(text, start + Math.floor(bit / BITS)) >> (bit % BITS)) & 1);
    for (const column of columns) ids.push(text.startsWith('C') ? column * grid + row : row * grid + column);
  }
  return ids;
}

function pack(kind: 'R' | 'C', ids: readonly number[], grid: number): string {
  const rows = new Map<number, Set<number>>();
  for (const id of ids) {
    const row = Math.floor(id / grid);
    rows.set(row, (rows.get(row) ?? new Set()).add(id % grid));
  }
  let text: string = kind;
  let columns = firstColumns(grid);
  for (const [row, members] of [...rows].sort((a, b) => b[1].size - a[1].size)) {
    text += LETTERS.charAt(row) + bitsOf(columns.map((column) => members.has(column)));
    columns = columns.filter((column) => members.has(column));
    if (columns.length < members.size)
      throw new Error(`the experts of row ${row} are no part of a staircase`);
  }
  return text;
}

function firstColumns(grid: number): number[] {
  return Array.from({ length: grid }, (_, column) => column);
}

function bitsOf(flags: readonly boolean[]): string {
  const values = Array.from({ length: Math.ceil(flags.length / BITS) }, () => 0);
  flags.forEach((flag, bit) => {
    const at = Math.floor(bit / BITS);
    if (flag) values[at] = (values[at] ?? 0) | (1 << (bit % BITS));
  });
  return values.map((value) => LETTERS.charAt(value)).join('');
}

function valueAt(text: string, at: number): number {
  return LETTERS.indexOf(text.charAt(at));
}
