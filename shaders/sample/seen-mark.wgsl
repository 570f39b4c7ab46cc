// seen-mark: sets the bits of token ids: those of the prompt before the first token, then each sampled token
//
// ids      u32, `count` of them from word `first` on; ids >= vocab are ignored
// seen     [ceil(vocab / 32)] u32: bit id % 32 of word id / 32
// grid     one lane per id (folded); bitwise or gives the same words in any order
// parts    fn linear_group (lib/grid.wgsl)
override WG: u32;

struct Params {
  first: u32,
  count: u32,
  vocab: u32,
}

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read_write> seen: array<atomic<u32>>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  if (at >= params.count) {
    return;
  }
  let id = ids[params.first + at];
  if (id < params.vocab) {
    atomicOr(&seen[id / 32u], 1u << (id % 32u));
  }
}
