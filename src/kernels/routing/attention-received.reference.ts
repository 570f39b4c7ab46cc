import { boundsOf } from './sequence.ts';

/**
 * r[t] = c[t] / max of c over the sequence, c[t] = sum over u of links[u, t]; 0 if no token has any.
 *
 * links [tokens, width], not negative -> [tokens]
 */
export function attentionReceivedReference(
  links: Float32Array,
  offsets: ArrayLike<number> | undefined,
  { tokens, width }: { readonly tokens: number; readonly width: number },
): Float32Array<ArrayBuffer> {
  const importance = new Float32Array(tokens);
  for (const [first, end] of boundsOf(offsets, tokens)) {
    const own = Array.from({ length: end - first }, (_, index) => first + index);
    const received = own.map((t) => own.reduce((sum, u) => sum + links[u * width + t]!, 0));
    const largest = Math.max(0, ...received);
    received.forEach((value, index) => (importance[first + index] = largest === 0 ? 0 : value / largest));
  }
  return importance;
}
