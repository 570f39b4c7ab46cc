// expert-room: given[t, r] = ids[t, r] while fewer than `room` earlier tokens of the sequence chose that expert
//
// ids     [tokens, k] u32, each expert of a token once
// chosen  [context, k] u32, the ids of all positions; those of this step are written if params.keeps is 1
// given   [tokens, k] u32; no expert is NONE
// grid    one lane per element of given (folded)
// parts   fn linear_group (lib/grid.wgsl)
override WG: u32;

const NONE = 0xffffffffu;

struct Params {
  tokens: u32,
  past: u32,
  k: u32,
  room: u32,
  keeps: u32,
}

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read_write> chosen: array<u32>;
@group(0) @binding(2) var<storage, read_write> given: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  if (at >= params.tokens * params.k) {
    return;
  }
  let id = ids[at];
  let before = params.past * params.k;
  // Rows of this step are written, rows of earlier ones are read: no lane touches another's.
  var count = 0u;
  for (var other = 0u; other < before; other += 1u) {
    count += u32(chosen[other] == id);
  }
  for (var other = 0u; other < at / params.k * params.k; other += 1u) {
    count += u32(ids[other] == id);
  }
  given[at] = select(NONE, id, count < params.room);
  if (params.keeps == 1u) {
    chosen[before + at] = id;
  }
}
