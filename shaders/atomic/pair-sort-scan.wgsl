// pair-sort-scan: exclusive prefix sums over the blocks of each digit's counts, and the total of each digit
//
// counts  [digits, blocks] u32, in place      totals [digits] u32
// grid    one workgroup per digit; each lane takes a contiguous range of blocks
// parts   fn linear_group (lib/grid.wgsl)
override WG: u32;

struct Params {
  blocks: u32,
  digits: u32,
}

@group(0) @binding(0) var<storage, read_write> counts: array<u32>;
@group(0) @binding(1) var<storage, read_write> totals: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> lane_counts: array<u32, WG>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let digit = linear_group(group, groups);
  if (digit >= params.digits) {
    return;
  }
  let share = (params.blocks + WG - 1u) / WG;
  let first = digit * params.blocks + min(lane * share, params.blocks);
  let end = digit * params.blocks + min((lane + 1u) * share, params.blocks);
  var count = 0u;
  for (var at = first; at < end; at++) {
    count += counts[at];
  }
  lane_counts[lane] = count;
  workgroupBarrier();
  var before = 0u;
  for (var other = 0u; other < lane; other++) {
    before += lane_counts[other];
  }
  if (lane == WG - 1u) {
    totals[digit] = before + count;
  }
  for (var at = first; at < end; at++) {
    let here = counts[at];
    counts[at] = before;
    before += here;
  }
}
