// route-step-steer-hard: z_i = max(z) + epsilon where R_i is not 0, R a row of the vectors.
//
// parts   lib/route-softmax.wgsl
fn step_steer_hard(lane: u32, vector: u32, epsilon: f32) {
  let largest = largest_live(lane);
  for (var e = lane; e < params.scored; e += STRIDE) {
    if (vector_at(vector, e) != 0.0) {
      row[e] = largest + epsilon;
    }
  }
}
