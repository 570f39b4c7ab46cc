// sample-rank: the second of three steps: orders the blocks by their largest logits, and writes the record's head
//
// The CANDIDATES best logits are in the CANDIDATES best blocks: each block before a logit's own has a better one.
//
// found    [blocks] Block, as sample-blocks writes them
// ranked   [CANDIDATES] u32: the best blocks in order, min(CANDIDATES, blocks) of them
// record   the head (sample-record.ts): id and logit of the best, sums of exp(logit - best) at
//          temperature 1 and at the step's temperature, number of candidates
// grid     one lane per block (folded), each counting the blocks before its own; the lane of rank 0 sums; no barrier
// parts    const CANDIDATES; struct Block, before() (lib/sample.wgsl); fn linear_group (lib/grid.wgsl)
override WG: u32;

struct Params {
  vocab: u32,
  blocks: u32,
  inverse_temperature: f32,
}

@group(0) @binding(0) var<storage, read> found: array<Block>;
@group(0) @binding(1) var<storage, read_write> ranked: array<u32>;
@group(0) @binding(2) var<storage, read_write> record: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

const LEAST_EXPONENT = -87.0; // below, exp gives no normal f32

fn write_head(best: Block) {
  var sum = 0.0;
  var tempered = 0.0;
  for (var b = 0u; b < params.blocks; b += 1u) {
    let other = found[b];
    let below = other.top - best.top;
    sum += other.sum * exp(max(below, LEAST_EXPONENT));
    tempered += other.tempered * exp(max(below * params.inverse_temperature, LEAST_EXPONENT));
  }
  record[0] = best.id;
  record[1] = bitcast<u32>(best.top);
  record[2] = bitcast<u32>(sum);
  record[3] = bitcast<u32>(tempered);
  record[4] = min(CANDIDATES, params.vocab);
}

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
  let mine = found[b];
  var rank = 0u;
  for (var other = 0u; other < params.blocks; other += 1u) {
    // Blocks with non-finite logits have the same id; among these the lower block comes first.
    let theirs = found[other];
    let first = before(theirs.top, theirs.id, mine.top, mine.id);
    rank += select(0u, 1u, first || (theirs.id == mine.id && other < b));
  }
  if (rank < CANDIDATES) {
    ranked[rank] = b;
  }
  if (rank == 0u) {
    write_head(mine);
  }
}
