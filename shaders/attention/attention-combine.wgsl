// attention-combine: combines the partial results of attention that is split over spans of keys
//
// o[t, h, :] = sum_s exp(top_s - top) sum_s[:] / sum_s exp(top_s - top) weight_s, top the largest top_s
//
// partials [rows, splits, head_dim / 4 + 1] vec4 f32 as attention writes them      o [rows, head_dim] scalar, as vec4
//          rows = tokens * heads
// grid     one workgroup per row (folded); lane l takes columns l, l + WG, ...; no barrier
// parts    alias scalar4; fn linear_group (lib/grid.wgsl)
override WG: u32;

struct Params {
  rows: u32,
  head_dim: u32,
  splits: u32,
}

@group(0) @binding(0) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> o: array<scalar4>;
@group(0) @binding(2) var<uniform> params: Params;

const LEAST_EXPONENT = -87.0; // below, exp gives no normal f32

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
  let columns = params.head_dim / 4u;
  let record = columns + 1u; // vec4s of one span
  let base = row * params.splits * record;
  var top = partials[base + columns].x;
  for (var s = 1u; s < params.splits; s += 1u) {
    top = max(top, partials[base + s * record + columns].x);
  }
  for (var c = lane; c < columns; c += WG) {
    var sum = vec4<f32>();
    var weight = 0.0;
    for (var s = 0u; s < params.splits; s += 1u) {
      let at = base + s * record;
      let found = partials[at + columns];
      let factor = exp(max(found.x - top, LEAST_EXPONENT));
      sum += factor * partials[at + c];
      weight += factor * found.y;
    }
    o[row * columns + c] = scalar4(sum / weight);
  }
}
