// cell-gru: the next state of a gated recurrent unit; a: input and b: hidden terms of reset, update and new, c: the
// state (Cho et al. 2014).
//
// parts   params, the inputs a, b, c, fn act (lib/cell-activation.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let row = t * 3u * params.cols;
  let reset = sigmoid(a[row + i] + b[row + i]);
  let kept = sigmoid(a[row + params.cols + i] + b[row + params.cols + i]);
  let next = act(9u, a[row + 2u * params.cols + i] + reset * b[row + 2u * params.cols + i]);
  return (1.0 - kept) * next + kept * c[t * params.cols + i];
}
