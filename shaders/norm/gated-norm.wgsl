// gated-norm: y = norm(x * silu(gate)) * gain, or norm(x) * gain * silu(gate), over groups of columns: the norms of
// Mamba-2 and of gated delta nets
//
// x       [tokens, groups * cols] f32      y [tokens, groups * cols] scalar      sums in f32
// gates   [tokens, stride] f32: columns first .. first + groups * cols - 1
// gain    [gains] f32, repeated: gains is cols or groups * cols
// grid    one workgroup per group of a row (folded); lane l takes columns l, l + WG, ...
// parts   alias scalar; fn reduce_sum (lib/reduce-*.wgsl, uses WG); fn linear_group (lib/grid.wgsl); fn sigmoid
//         (lib/activation.wgsl)
// needs   WG a power of two
override WG: u32;

struct Params {
  rows: u32, // tokens * groups
  cols: u32,
  groups: u32,
  gains: u32,
  stride: u32,
  first: u32,
  gate_first: u32, // 1: the gate is applied before the norm
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> gates: array<f32>;
@group(0) @binding(2) var<storage, read> gain: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<scalar>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = linear_group(group, groups);
  if (row >= params.rows) {
    return;
  }
  let base = row * params.cols;
  let column = row % params.groups * params.cols;
  let gate_base = row / params.groups * params.stride + params.first + column;
  var squares = 0.0;
  for (var c = lane; c < params.cols; c += WG) {
    var value = x[base + c];
    if (params.gate_first == 1u) {
      let gate = gates[gate_base + c];
      value *= gate * sigmoid(gate);
    }
    squares += value * value;
  }
  let mean = reduce_sum(squares, lane) / f32(params.cols);
  let factor = 1.0 / sqrt(mean + params.eps);
  for (var c = lane; c < params.cols; c += WG) {
    let gate = gates[gate_base + c];
    let acted = gate * sigmoid(gate);
    y[base + c] = scalar(x[base + c] * acted * factor * gain[(column + c) % params.gains]);
  }
}
