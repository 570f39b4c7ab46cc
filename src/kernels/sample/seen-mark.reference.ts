/**
 * seen | { ids[i] : first <= i < first + count, ids[i] < vocab }
 *
 * ids u32, seen [ceil(vocab / 32)] as bits -> seen
 */
export function seenMarkReference(
  ids: Uint32Array,
  seen: Uint32Array,
  { first, count, vocab }: { first: number; count: number; vocab: number },
): Uint32Array<ArrayBuffer> {
  const marked = Uint32Array.from(seen);
  for (const id of ids.subarray(first, first + count)) if (id < vocab) marked[id >>> 5]! |= 1 << (id & 31);
  return marked;
}
