/**
 * y[id] = seen(id) ? (x[id] > 0 ? x[id] / penalty : x[id] * penalty) : x[id]
 *
 * logits [vocab], seen [ceil(vocab / 32)] as bits -> y [vocab]. The repetition penalty of CTRL (Keskar et al. 2019).
 */
export function logitsPenaltyReference(
  logits: Float32Array,
  seen: Uint32Array,
  { penalty }: { penalty: number },
): Float32Array<ArrayBuffer> {
  return Float32Array.from(logits, (logit, id) => {
    if (((seen[id >> 5]! >> (id & 31)) & 1) === 0) return logit;
    return logit > 0 ? logit / penalty : logit * penalty;
  });
}
