// route-step-standardise: v = v / deviation, unless that is 0; v is not centred.
//
// parts   lib/route-deviation.wgsl
fn step_standardise(lane: u32, degrees: f32) {
  let deviation = row_deviation(lane, degrees);
  if (deviation == 0.0) {
    return;
  }
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      row[e] = value / deviation;
    }
  }
}
