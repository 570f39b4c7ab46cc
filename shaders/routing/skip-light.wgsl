// skip-light: skips experts of small weight: weights[p] = 0 if below the bound, and the pair has no expert
//
// ids, weights  [pairs] u32 and f32, changed in place      bound: weights below it are set to 0
// drop_ids      1: ids[p] is set to 0xffffffff (no expert) too; 0: ids are unchanged, for kernels that read only
//               weights
// grid          one lane per pair, WG lanes per workgroup (folded)
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
