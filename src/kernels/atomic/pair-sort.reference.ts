/** (id, pair) of every pair in ascending order of id, then of pair (token and rank): a stable sort. ids [pairs] -> [pairs, 2] */
export function pairSortReference(ids: Uint32Array): Uint32Array {
  const order = Uint32Array.from(ids.keys()).sort((a, b) => ids[a]! - ids[b]! || a - b);
  const sorted = new Uint32Array(2 * ids.length);
  for (let at = 0; at < ids.length; at += 1) {
    const pair = order[at]!;
    sorted[2 * at] = ids[pair]!;
    sorted[2 * at + 1] = pair;
  }
  return sorted;
}
