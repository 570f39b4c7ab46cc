// short-conv: y[t, c] = out_gate[t, c] * sum over taps l of weight[c, l] * u(t - taps + 1 + l, c), u = in_gate * x: a
// causal depthwise convolution between two gates (LFM2, Liquid AI 2025)
//
// gates_x  [tokens, 3 * cols] scalar: in_gate, out_gate, x      weight [cols, taps] f32      y [tokens, cols] scalar
// before   [taps - 1, cols] f32: u of the tokens before the step, the latest last; 0 before the first token
// after    the same for the next step
// grid     one lane per element of y, then one per element of after (folded)
// parts    alias scalar; fn linear_group (lib/grid.wgsl)
override WG: u32;

struct Params {
  tokens: u32,
  cols: u32,
  taps: u32,
}

@group(0) @binding(0) var<storage, read> gates_x: array<scalar>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> before: array<f32>;
@group(0) @binding(3) var<storage, read_write> after: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<scalar>;
@group(0) @binding(5) var<uniform> params: Params;

// u of column c, `place` tokens after the first of `before`.
fn gated_input(place: u32, c: u32) -> f32 {
  let earlier = params.taps - 1u;
  if (place < earlier) {
    return before[place * params.cols + c];
  }
  let row = (place - earlier) * 3u * params.cols + c;
  return f32(gates_x[row]) * f32(gates_x[row + 2u * params.cols]);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  let row = at / params.cols;
  let c = at % params.cols;
  if (row >= params.tokens) {
    let kept = row - params.tokens;
    if (kept < params.taps - 1u) {
      after[kept * params.cols + c] = gated_input(row, c);
    }
    return;
  }
  var sum = 0.0;
  for (var tap = 0u; tap < params.taps; tap += 1u) {
    sum += weight[c * params.taps + tap] * gated_input(row + tap, c);
  }
  y[at] = scalar(f32(gates_x[(row * 3u + 1u) * params.cols + c]) * sum);
}
