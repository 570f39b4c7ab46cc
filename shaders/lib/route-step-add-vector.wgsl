// route-step-add-vector: v_i = v_i + R_i, R a row of the vectors.
fn step_add_vector(lane: u32, vector: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      row[e] = value + vector_at(vector, e);
    }
  }
}
