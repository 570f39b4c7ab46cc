// pair-sort-count: counts the keys of each block by digit; the first of three dispatches of one pass of a radix sort
//
// keys    key i is at word stride * i: plain ids (stride 1), or (id, pair) from an earlier pass (stride 2)
// counts  [digits, blocks] u32; a digit is `bits` bits of the key from `shift` on
// grid    one workgroup per block of BLOCK pairs
// parts   fn linear_group (lib/grid.wgsl)
// needs   bits <= 8; const BLOCK
override WG: u32;

struct Params {
  pairs: u32,
  stride: u32,
  shift: u32,
  bits: u32,
}

@group(0) @binding(0) var<storage, read> keys: array<u32>;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> bins: array<atomic<u32>, 256>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let blocks = (params.pairs + BLOCK - 1u) / BLOCK;
  let number = linear_group(group, groups);
  if (number >= blocks) {
    return;
  }
  for (var digit = lane; digit < 256u; digit += WG) {
    atomicStore(&bins[digit], 0u);
  }
  workgroupBarrier();
  let end = min(params.pairs, (number + 1u) * BLOCK);
  for (var at = number * BLOCK + lane; at < end; at += WG) {
    atomicAdd(&bins[extractBits(keys[params.stride * at], params.shift, params.bits)], 1u);
  }
  workgroupBarrier();
  for (var digit = lane; digit < (1u << params.bits); digit += WG) {
    counts[digit * blocks + number] = atomicLoad(&bins[digit]);
  }
}
