// cell-pool: of the tokens of the unit: n2 0 the mean, 1 the first, 2 the last, 3 all side by side; n0 tokens of a
// segment (0: the sequence), n1 columns of a.
//
// parts   params, the input a, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn unit_of(t: u32) -> vec2<u32> {
  let sequence = bounds_of(t);
  if (params.n0 == 0u) {
    return sequence;
  }
  let first = sequence.x + (t - sequence.x) / params.n0 * params.n0;
  return vec2<u32>(first, min(first + params.n0, sequence.y));
}

fn cell(t: u32, i: u32) -> f32 {
  let own = unit_of(t);
  let column = i % params.n1;
  switch params.n2 {
    case 0u: {
      var sum = 0.0;
      for (var u = own.x; u < own.y; u += 1u) {
        sum += a[u * params.n1 + column];
      }
      return sum / f32(own.y - own.x);
    }
    case 1u: {
      return a[own.x * params.n1 + column];
    }
    case 2u: {
      return a[(own.y - 1u) * params.n1 + column];
    }
    default: {
      let u = own.x + i / params.n1;
      if (u >= own.y) {
        return 0.0;
      }
      return a[u * params.n1 + column];
    }
  }
}
