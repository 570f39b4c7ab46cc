// causal-conv: y[t, c] = silu(bias[c] + sum over taps l of weight[c, l] * x(t - taps + 1 + l, c)): a causal depthwise
// convolution of some columns of a projection, before a recurrence (Mamba, Gu and Dao 2023)
//
// x        [tokens, stride] f32: columns first .. first + cols - 1      y [tokens, cols] f32
// weight   [cols, taps] f32      bias [cols] f32, in some variants
// before   [taps - 1, cols] f32: x of the tokens before the step, the latest last; 0 before the first token
// after    the same for the next step
// grid     one lane per element of y, then one per element of after (folded)
// parts    fn linear_group (lib/grid.wgsl); fn sigmoid (lib/activation.wgsl)
override WG: u32;

struct Params {
  tokens: u32,
  cols: u32,
  taps: u32,
  stride: u32,
  first: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> before: array<f32>;
@group(0) @binding(3) var<storage, read_write> after: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
#if ${biased}
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;
#else
@group(0) @binding(5) var<uniform> params: Params;
#endif

// x of column c, `place` tokens after the first of `before`.
fn input(place: u32, c: u32) -> f32 {
  let earlier = params.taps - 1u;
  if (place < earlier) {
    return before[place * params.cols + c];
  }
  return x[(place - earlier) * params.stride + params.first + c];
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
      after[kept * params.cols + c] = input(row, c);
    }
    return;
  }
  var sum = 0.0;
#if ${biased}
  sum = bias[c];
#endif
  for (var tap = 0u; tap < params.taps; tap += 1u) {
    sum += weight[c * params.taps + tap] * input(row + tap, c);
  }
  y[at] = sum * sigmoid(sum);
}
