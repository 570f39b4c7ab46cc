// skip-light: experts of little weight are left out: weights[p] = 0 below the bound, and the pair names no expert
//
// ids, weights  [pairs] u32 and f32, changed in place      bound: a weight below it is light
// drop_ids      1: ids[p] becomes 0xffffffff too, which names no expert; 0: ids stay, for kernels that look at weights
//               only
// grid          one lane per pair, WG lanes to a workgroup (folded)
// parts         fn linear_group (lib/grid.wgsl)
override WG: u32;

const NO_EXPERT = 0xffffffffu;

struct Params {
  pairs: u32,
  drop_ids: u32,
  bound: f32,
}

@group(0) @binding(0) var<storage, read_write> ids: array<u32>;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let pair = linear_group(group, groups) * WG + lane;
  if (pair >= params.pairs || weights[pair] >= params.bound) {
    return;
  }
  weights[pair] = 0.0;
  if (params.drop_ids != 0u) {
    ids[pair] = NO_EXPERT;
  }
}
