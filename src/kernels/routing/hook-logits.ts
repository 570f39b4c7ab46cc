import source from '../../../shaders/routing/hook-logits.wgsl?raw';
import { foldGrid, gridPart, reducePart } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Changes of the router logits of one layer, for all tokens of a request. */
export interface LogitEdits {
  readonly bias?: readonly number[] | undefined; // [experts], added
  readonly steer?: SteerEdit | undefined;
  readonly mask?: readonly number[] | undefined; // ids that are never chosen
}

/** `soft` adds `strength` deviations of the logits to those of the listed experts; `hard` makes them the largest plus `epsilon`. */
export interface SteerEdit {
  readonly experts: readonly number[];
  readonly mode: 'soft' | 'hard';
  readonly strength: number;
  readonly epsilon: number;
  readonly deviation: 'sample' | 'population';
}

/** Elements of the buffer that `packEdits` fills. */
export function editsSize(experts: number): number {
  return 4 * experts + 2;
}

/** Edits as the kernel reads them. */
export function packEdits(
  { bias, steer, mask = [] }: LogitEdits,
  experts: number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(editsSize(experts));
  if (bias) values.set(bias);
  for (const id of mask) values[3 * experts + id] = 1;
  if (!steer) return values;
  const [row, value] = steer.mode === 'soft' ? [1, steer.strength] : [2, 1];
  for (const id of steer.experts) values[row * experts + id] = value;
  values[4 * experts] = steer.deviation === 'sample' ? 1 : 0;
  values[4 * experts + 1] = steer.epsilon;
  return values;
}

/** Problem size, which determines the grid; logits are [tokens, experts]. */
export interface HookLogitsSize {
  readonly tokens: number;
  readonly experts: number;
}

/**
 * Changes router logits by the hooks of a request: a bias, then steering, then a mask.
 *
 * logits [tokens, experts] f32, in place; edits [editsSize(experts)] f32
 */
export const hookLogits = defineKernel({
  name: 'hook-logits',
  bindings: { logits: 'write', edits: 'read' },
  params: { tokens: 'u32', experts: 'u32' },
  variants: cross({ wg: [1, 32] }),
  parts: () => [gridPart, reducePart(false), { name: 'routing/hook-logits.wgsl', text: source }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `hook-logits/wg${wg}`,
  grid: ({ tokens }: Pick<HookLogitsSize, 'tokens'>) => foldGrid(tokens),
});
