// route-entropy-renyi: log(sum of a^q) / (1 - q).
//
// parts   lib/route-entropy-powers.wgsl
fn row_entropy(lane: u32) -> f32 {
  return log(sum_of_affinity_powers(lane)) / (1.0 - params.entropy_index);
}
