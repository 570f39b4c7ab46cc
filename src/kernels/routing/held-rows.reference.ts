/** Sizes of rows that are held. */
export interface HeldRowsOptions {
  readonly tokens: number;
  readonly past: number; // tokens before the step
  readonly cols: number;
  readonly every: number; // positions of a run
}

/**
 * y[t, c]: column c at the first position of the run of `every` positions that token t is in, from x, or from `kept` where an
 * earlier step had it; `kept` [runs, cols] is as the next step reads it
 *
 * x [tokens, cols], kept [runs, cols] -> y [tokens, cols], kept
 */
export function heldRowsReference(
  x: Float32Array,
  kept: Float32Array,
  { tokens, past, cols, every }: HeldRowsOptions,
): { y: Float32Array<ArrayBuffer>; kept: Float32Array<ArrayBuffer> } {
  const y = new Float32Array(tokens * cols);
  const next = Float32Array.from(kept);
  for (let t = 0; t < tokens; t += 1) {
    const run = Math.floor((past + t) / every);
    const first = run * every;
    const row =
      first < past
        ? kept.subarray(run * cols, (run + 1) * cols)
        : x.subarray((first - past) * cols, (first - past + 1) * cols);
    y.set(row, t * cols);
    if (first === past + t) next.set(row, run * cols);
  }
  return { y, kept: next };
}
