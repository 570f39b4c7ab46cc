import type { HookLogitsSize } from './hook-logits.ts';
import { MASKED } from './stages/stage.ts';

/**
 * z = logits + bias; of this z, z_e + soft_e * deviation(z), or max(z) + epsilon where hard_e is not 0; then MASKED where
 * mask_e is not 0.
 *
 * logits [tokens, experts]; edits: the rows bias, soft, hard, mask [experts], then degrees and epsilon -> [tokens, experts]
 */
export function hookLogitsReference(
  logits: Float32Array,
  edits: Float32Array,
  { tokens, experts }: HookLogitsSize,
): Float32Array<ArrayBuffer> {
  const row = (index: number) => edits.subarray(index * experts, (index + 1) * experts);
  const [bias, soft, hard, mask] = [row(0), row(1), row(2), row(3)];
  const [degrees = 0, epsilon = 0] = edits.subarray(4 * experts);
  const y = new Float32Array(tokens * experts);
  for (let t = 0; t < tokens; t += 1) {
    const own = logits.subarray(t * experts, (t + 1) * experts);
    const z = Float64Array.from(own, (value, e) => value + bias[e]!);
    const mean = z.reduce((sum, value) => sum + value, 0) / experts;
    const squares = z.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const deviation = Math.sqrt(squares / Math.max(experts - degrees, 1));
    const top = Math.max(...z) + epsilon;
    z.forEach((value, e) => {
      const added = soft[e] === 0 ? 0 : soft[e]! * deviation;
      const steered = hard[e] === 0 ? value + added : top;
      y[t * experts + e] = mask[e] === 0 ? steered : MASKED;
    });
  }
  return y;
}
