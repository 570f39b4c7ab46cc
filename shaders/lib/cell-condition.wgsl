// cell-condition: if b[t] is n0: f0 for experts listed in c, others masked; else a, those listed masked.
//
// parts   params, the inputs a, b, c
fn cell(t: u32, i: u32) -> f32 {
  let is_listed = c[i] != 0.0;
  if (u32(b[t]) == params.n0) {
    return select(LOWEST, params.f0, is_listed);
  }
  return select(a[t * params.cols + i], LOWEST, is_listed);
}
