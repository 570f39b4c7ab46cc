// cell-of-token: row a[t] of the table b, of n0 columns in all tables; n1 the first column.
//
// parts   params, the inputs a, b
fn cell(t: u32, i: u32) -> f32 {
  return b[u32(a[t]) * params.n0 + params.n1 + i];
}
