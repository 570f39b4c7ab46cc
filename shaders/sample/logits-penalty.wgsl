// logits-penalty: repetition penalty of seen tokens, in place: y = x > 0 ? x / penalty : x * penalty
// (CTRL, Keskar et al. 2019)
//
// seen     [ceil(vocab / 32)] u32: bit id % 32 of word id / 32      logits   [vocab] f32
// grid     one lane per logit (folded)
// parts    fn linear_group (lib/grid.wgsl)
override WG: u32;

struct Params {
  vocab: u32,
  penalty: f32,
}

@group(0) @binding(0) var<storage, read> seen: array<u32>;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let id = linear_group(group, groups) * WG + lane;
  if (id >= params.vocab || ((seen[id / 32u] >> (id % 32u)) & 1u) == 0u) {
    return;
  }
  let logit = logits[id];
  logits[id] = select(logit * params.penalty, logit / params.penalty, logit > 0.0);
}
