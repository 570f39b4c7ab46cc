/** Sizes of choices, and the room of each expert. */
export interface ExpertRoomOptions {
  readonly tokens: number;
  readonly past: number; // tokens before the step
  readonly k: number;
  readonly room: number; // tokens of a sequence that an expert takes
}

const NONE = 0xffffffff;

/**
 * given[t, r] = ids[t, r] while fewer than `room` earlier tokens chose that expert, else no expert; `chosen` [context, k] has
 * the ids of all positions, and is as the next step reads it
 *
 * ids [tokens, k], chosen [context, k] -> given [tokens, k], chosen
 */
export function expertRoomReference(
  ids: Uint32Array,
  chosen: Uint32Array,
  { tokens, past, k, room }: ExpertRoomOptions,
): { given: Uint32Array<ArrayBuffer>; chosen: Uint32Array<ArrayBuffer> } {
  const counts = new Map<number, number>();
  const count = (id: number) => counts.set(id, (counts.get(id) ?? 0) + 1);
  chosen.subarray(0, past * k).forEach(count);
  const given = new Uint32Array(tokens * k);
  for (let t = 0; t < tokens; t += 1) {
    const own = ids.subarray(t * k, (t + 1) * k);
    own.forEach((id, r) => (given[t * k + r] = (counts.get(id) ?? 0) < room ? id : NONE));
    own.forEach(count);
  }
  const next = Uint32Array.from(chosen);
  next.set(ids.subarray(0, tokens * k), past * k);
  return { given, chosen: next };
}
