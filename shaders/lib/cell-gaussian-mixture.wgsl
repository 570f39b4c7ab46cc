// cell-gaussian-mixture: log sum over m of exp(b_im + log Normal(a; c_im, diag exp d_im)); n0 mixtures, n1 dimensions
// (arXiv:2510.16448).
//
// parts   params, the inputs a, b, c, d
const LOG_TWO_PI = 1.8378770664093453;

fn cell(t: u32, i: u32) -> f32 {
  var largest = LOWEST;
  for (var round = 0u; round < 2u; round += 1u) {
    var sum = 0.0;
    for (var m = 0u; m < params.n0; m += 1u) {
      let at = i * params.n0 + m;
      var density = b[at];
      for (var j = 0u; j < params.n1; j += 1u) {
        let spread = d[at * params.n1 + j];
        let far = a[t * params.n1 + j] - c[at * params.n1 + j];
        density -= 0.5 * (LOG_TWO_PI + spread + far * far * exp(-spread));
      }
      if (round == 0u) {
        largest = max(largest, density);
      }
      sum += exp(density - largest);
    }
    if (round == 1u) {
      return largest + log(sum);
    }
  }
  return largest;
}
