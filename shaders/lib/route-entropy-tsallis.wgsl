// route-entropy-tsallis: (1 - sum of a^q) / (q - 1).
//
// parts   lib/route-entropy-powers.wgsl
fn row_entropy(lane: u32) -> f32 {
  return (1.0 - sum_of_affinity_powers(lane)) / (params.entropy_index - 1.0);
}
