/**
 * The assignment of rows to columns with the largest sum, one column for each row: shortest augmenting paths (Jonker and Volgenant 1987).
 *
 * @param gain - [n, n]
 * @returns [n]: the column of each row
 */
export function bestAssignment(gain: Float64Array, n: number): number[] {
  const rowPrice = new Float64Array(n + 1);
  const colPrice = new Float64Array(n + 1);
  const rowOf = new Int32Array(n + 1); // by column from 1 on; 0: none. Column 0 holds the row that is being placed
  const before = new Int32Array(n + 1); // the column before each on the shortest path
  for (let row = 1; row <= n; row += 1) {
    rowOf[0] = row;
    const distance = new Float64Array(n + 1).fill(Infinity);
    const isDone = new Uint8Array(n + 1);
    let col = 0;
    do {
      isDone[col] = 1;
      const from = rowOf[col] ?? 0;
      let next = 0;
      let step = Infinity;
      for (let to = 1; to <= n; to += 1) {
        if (isDone[to] === 1) continue;
        const cost = -(gain[(from - 1) * n + to - 1] ?? 0) - (rowPrice[from] ?? 0) - (colPrice[to] ?? 0);
        if (cost < (distance[to] ?? Infinity)) {
          distance[to] = cost;
          before[to] = col;
        }
        if ((distance[to] ?? Infinity) < step) {
          step = distance[to] ?? Infinity;
          next = to;
        }
      }
      for (let each = 0; each <= n; each += 1) {
        if (isDone[each] === 1) {
          const own = rowOf[each] ?? 0;
          rowPrice[own] = (rowPrice[own] ?? 0) + step;
          colPrice[each] = (colPrice[each] ?? 0) - step;
        } else distance[each] = (distance[each] ?? Infinity) - step;
      }
      col = next;
    } while (rowOf[col] !== 0);
    while (col !== 0) {
      const previous = before[col] ?? 0;
      rowOf[col] = rowOf[previous] ?? 0;
      col = previous;
    }
  }
  const columns = Array<number>(n).fill(0);
  for (let col = 1; col <= n; col += 1) columns[(rowOf[col] ?? 1) - 1] = col - 1;
  return columns;
}
