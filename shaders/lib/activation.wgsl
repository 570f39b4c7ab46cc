// activation: the activation functions of experts and feed-forward layers, and the sigmoid of gates.
//
// activate(kind, x): 0 silu, 1 gelu (tanh form), 2 gelu (exact, by erf), 3 relu, 4 relu squared; other kinds give x.
// gated(kind, gate, up): activate(kind, gate) * up; 5: clamped SwiGLU of gpt-oss.
// The numbers are those of GLU_ACTIVATIONS in activation.ts. `kind` is uniform, so the branches cost little.
const EXP_LIMIT = 80.0; // exp(80) = 5.5e34 is finite in f32, and 1 / (1 + exp(80)) is 0 for every use

fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(min(-x, EXP_LIMIT)));
}

// The complementary error function for x >= 0: Abramowitz and Stegun 7.1.26, error below 2e-7 in f32.
fn erfc_positive(x: f32) -> f32 {
  let t = 1.0 / (1.0 + 0.3275911 * x);
  let poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return poly * exp(-min(x * x, EXP_LIMIT));
}

fn gelu_erf(x: f32) -> f32 {
  let tail = 0.5 * erfc_positive(min(abs(x), 10.0) * 0.70710678); // the normal distribution beyond |x|
  return x * select(tail, 1.0 - tail, x >= 0.0);
}

// 0.5 (1 + tanh(u)) = sigmoid(2 u), with u = sqrt(2 / pi) (x + 0.044715 x^3)
fn gelu_tanh(x: f32) -> f32 {
  let near = clamp(x, -20.0, 20.0); // outside, the sigmoid is 0 or 1, and the cube could overflow
  return x * sigmoid(1.5957691216 * (near + 0.044715 * near * near * near));
}

fn activate(kind: u32, x: f32) -> f32 {
  switch kind {
    case 0u: {
      return x * sigmoid(x);
    }
    case 1u: {
      return gelu_tanh(x);
    }
    case 2u: {
      return gelu_erf(x);
    }
    case 3u: {
      return max(x, 0.0);
    }
    case 4u: {
      let positive = max(x, 0.0);
      return positive * positive;
    }
    default: {
      return x;
    }
  }
}

fn gated(kind: u32, gate: f32, up: f32) -> f32 {
  if (kind == 5u) {
    let near = min(gate, 7.0);
    return (clamp(up, -7.0, 7.0) + 1.0) * near * sigmoid(1.702 * near);
  }
  return activate(kind, gate) * up;
}
