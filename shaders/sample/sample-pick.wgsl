// sample-pick: the last of three steps: orders the best logits and writes them as the record's candidates
//
// logits   [vocab] f32, as bits
// found    [blocks] Block, ranked [CANDIDATES] u32: as sample-blocks and sample-rank write them
// record   (sample-record.ts): (id, logit) of the min(CANDIDATES, vocab) best from word HEAD on
// grid     one lane per logit of the ranked blocks (folded), each counting the logits before its own; no barrier
// parts    const CANDIDATES, HEAD; struct Block, before() (lib/sample.wgsl); fn linear_group (lib/grid.wgsl)
// needs    finite logits: otherwise the record's first word is NOT_FINITE_ID and its candidates are undefined
override WG: u32;

struct Params {
  vocab: u32,
  blocks: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<u32>;
@group(0) @binding(1) var<storage, read> found: array<Block>;
@group(0) @binding(2) var<storage, read> ranked: array<u32>;
@group(0) @binding(3) var<storage, read_write> record: array<u32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let longest = (params.vocab + params.blocks - 1u) / params.blocks; // logits in a block, at most
  let kept = min(CANDIDATES, params.blocks);
  let index = linear_group(group, groups) * WG + lane;
  let id = (index % longest) * params.blocks + ranked[min(index / longest, kept - 1u)];
  if (index >= kept * longest || id >= params.vocab) {
    return;
  }
  let logit = bitcast<f32>(logits[id]);
  let worst = found[ranked[kept - 1u]];
  if (kept == CANDIDATES && before(worst.top, worst.id, logit, id)) {
    return; // the tops of the ranked blocks are CANDIDATES better logits
  }
  var rank = 0u;
  for (var k = 0u; k < kept; k += 1u) {
    let b = ranked[k];
    if (!before(found[b].top, found[b].id, logit, id)) {
      break; // no logit of later blocks is better
    }
    for (var other = b; other < params.vocab; other += params.blocks) {
      rank += select(0u, 1u, before(bitcast<f32>(logits[other]), other, logit, id));
    }
  }
  if (rank < CANDIDATES) {
    record[HEAD + 2u * rank] = id;
    record[HEAD + 2u * rank + 1u] = bitcast<u32>(logit);
  }
}
