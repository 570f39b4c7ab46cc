import { promptRowsParams } from './prompt-rows.ts';

/** Sizes of the rows of a prompt. */
export interface PromptRowsOptions {
  readonly tokens: number;
  readonly past: number; // tokens before the step
  readonly cols: number;
}

/**
 * y[t] = x[0] in the first step, whose rows are equal, and `before` in later ones
 *
 * x [tokens, cols], before [cols] -> y [tokens, cols], after [cols]: `before` of the next step
 */
export function promptRowsReference(
  x: Float32Array,
  before: Float32Array,
  options: PromptRowsOptions,
): { y: Float32Array<ArrayBuffer>; after: Float32Array<ArrayBuffer> } {
  const { tokens, past, cols } = promptRowsParams(options);
  const after = Float32Array.from((past === 0 ? x : before).subarray(0, cols));
  const y = new Float32Array(tokens * cols);
  for (let t = 0; t < tokens; t += 1) y.set(after, t * cols);
  return { y, after };
}
