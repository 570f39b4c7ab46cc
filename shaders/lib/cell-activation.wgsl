// cell-activation: the activations of layer descriptions: those of lib/activation.wgsl, 8 the sigmoid, 9 tanh, 7 none.
//
// parts   lib/activation.wgsl
fn act(kind: u32, x: f32) -> f32 {
  switch kind {
    case 8u: {
      return sigmoid(x);
    }
    case 9u: {
      return 2.0 * sigmoid(2.0 * clamp(x, -20.0, 20.0)) - 1.0;
    }
    default: {
      return activate(kind, x);
    }
  }
}
