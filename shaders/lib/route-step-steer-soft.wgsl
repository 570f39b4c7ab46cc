// route-step-steer-soft: z_i = z_i + strength_i * deviation of z; a row of the vectors has the strengths, 0 for others.
//
// parts   lib/route-deviation.wgsl
fn step_steer_soft(lane: u32, vector: u32, degrees: f32) {
  let deviation = row_deviation(lane, degrees);
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      row[e] = value + vector_at(vector, e) * deviation;
    }
  }
}
