// sample-blocks: the first of three steps from logits to a sampling record: a summary of each block of logits
//
// Block b holds ids b, b + blocks, b + 2 * blocks, ...: adjacent lanes read adjacent words.
//
// logits   [vocab] f32, as bits      found   [blocks] Block (lib/sample.wgsl)
// grid     one lane per block (folded); no barrier
// parts    struct Block, before(), not_finite() (lib/sample.wgsl); fn linear_group (lib/grid.wgsl)
// needs    1 <= blocks <= vocab
override WG: u32;

struct Params {
  vocab: u32,
  blocks: u32,
  inverse_temperature: f32,
}

@group(0) @binding(0) var<storage, read> logits: array<u32>;
@group(0) @binding(1) var<storage, read_write> found: array<Block>;
@group(0) @binding(2) var<uniform> params: Params;

const LEAST_EXPONENT = -87.0; // below, exp gives no normal f32

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let b = linear_group(group, groups) * WG + lane;
  if (b >= params.blocks) {
    return;
  }
  var top = SMALLEST;
  var top_id = b;
  var finite = true;
  for (var id = b; id < params.vocab; id += params.blocks) {
    let bits = logits[id];
    finite = finite && !not_finite(bits);
    let logit = bitcast<f32>(bits);
    if (logit > top) { // ids ascend, so the first of equal logits is kept
      top = logit;
      top_id = id;
    }
  }
  if (!finite) {
    found[b] = Block(LARGEST, NOT_FINITE_ID, 0.0, 0.0);
    return;
  }
  var sum = 0.0;
  var tempered = 0.0;
  for (var id = b; id < params.vocab; id += params.blocks) {
    let below = bitcast<f32>(logits[id]) - top;
    sum += exp(max(below, LEAST_EXPONENT));
    tempered += exp(max(below * params.inverse_temperature, LEAST_EXPONENT));
  }
  found[b] = Block(top, top_id, sum, tempered);
}
