// route-step-mask-vector: v_i is masked where R_i = 0, R a row of the vectors.
fn step_mask_vector(lane: u32, vector: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    if (vector_at(vector, e) == 0.0) {
      row[e] = MASKED;
    }
  }
}
