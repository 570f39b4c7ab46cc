// score-softmax: a = exp(logit) / sum of exp(logit) over the row.
//
// A score of a whole row has three steps: shift = row_shift(first logit of the row); raw = raw_score(logit,
// shift) of each; a = share(raw, sum), where sum is that of raw over the row if SUMS_ROW, else 1.
//
// parts   logits, params.experts (lib/gate.wgsl)
const SUMS_ROW = true;

fn row_shift(base: u32) -> f32 {
  var largest = logits[base];
  for (var e = 1u; e < params.experts; e += 1u) {
    largest = max(largest, logits[base + e]);
  }
  return largest;
}

fn raw_score(logit: f32, shift: f32) -> f32 {
  return exp(logit - shift);
}

fn share(raw: f32, sum: f32) -> f32 {
  return raw / sum;
}
