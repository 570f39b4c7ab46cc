// pair-sort-scatter: moves pairs to their positions by one digit; stable
//
// keys    as in pair-sort-count; without a pair beside the id (stride 1), the pair is the position
// counts  [digits, blocks] u32: pairs of a digit in earlier blocks      totals [digits] u32
// sorted  [pairs] (id, pair)
// grid    one workgroup per block of BLOCK pairs, in tiles of 4 WG: a lane has four adjacent pairs, packs their
//         digits into a word, and counts equal digits in the words before it. The result does not depend on the order
//         of atomics.
// parts   fn linear_group (lib/grid.wgsl)
// needs   bits <= 8; const BLOCK, a multiple of 4 WG; 256 a multiple of WG
override WG: u32;

struct Params {
  pairs: u32,
  stride: u32,
  shift: u32,
  bits: u32,
}

@group(0) @binding(0) var<storage, read> keys: array<u32>;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> totals: array<u32>;
@group(0) @binding(3) var<storage, read_write> sorted: array<vec2<u32>>;
@group(0) @binding(4) var<uniform> params: Params;

const BYTES = 0x01010101u; // multiplied by a digit: that digit in every byte
const LOW_BITS = 0x7f7f7f7fu; // all but the highest bit of each byte

var<workgroup> lane_totals: array<u32, WG>;
var<workgroup> places: array<atomic<u32>, 256>; // position of the next pair of each digit
var<workgroup> words: array<u32, WG>; // four digits each

fn set_places(number: u32, blocks: u32, lane: u32) {
  let digits = 1u << params.bits;
  let share = 256u / WG;
  var count = 0u;
  for (var digit = lane * share; digit < min((lane + 1u) * share, digits); digit++) {
    count += totals[digit];
  }
  lane_totals[lane] = count;
  workgroupBarrier();
  var before = 0u;
  for (var other = 0u; other < lane; other++) {
    before += lane_totals[other];
  }
  for (var digit = lane * share; digit < min((lane + 1u) * share, digits); digit++) {
    atomicStore(&places[digit], before + counts[digit * blocks + number]);
    before += totals[digit];
  }
}

// For each of four digits, how many of the four bytes of a word equal it.
fn equal_bytes(word: u32, digits: vec4<u32>) -> vec4<u32> {
  let difference = vec4<u32>(word) ^ (digits * BYTES);
  let some = ((difference & vec4<u32>(LOW_BITS)) + LOW_BITS) | difference; // highest bit: byte is not zero
  return countOneBits(~(some | vec4<u32>(LOW_BITS)));
}

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
  set_places(number, blocks, lane);
  let end = min(params.pairs, (number + 1u) * BLOCK);
  for (var tile = number * BLOCK; tile < end; tile += 4u * WG) {
    let first = tile + 4u * lane;
    let at = min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.pairs - 1u));
    let own = params.stride * at;
    let ids = vec4<u32>(keys[own.x], keys[own.y], keys[own.z], keys[own.w]);
    // Past the end, lanes copy the last pair; copies come after all pairs, so no rank counts them.
    let digits = extractBits(ids, params.shift, params.bits);
    words[lane] = digits.x | (digits.y << 8u) | (digits.z << 16u) | (digits.w << 24u);
    workgroupBarrier(); // orders the writes of `places` by set_places or the last tile, too
    var ranks = vec4<u32>(
      0u,
      u32(digits.x == digits.y),
      u32(digits.x == digits.z) + u32(digits.y == digits.z),
      u32(digits.x == digits.w) + u32(digits.y == digits.w) + u32(digits.z == digits.w),
    );
    for (var other = 0u; other < lane; other++) {
      ranks += equal_bytes(words[other], digits);
    }
    for (var i = 0u; i < 4u; i++) {
      if (first + i < end) {
        var pair = first + i;
        if (params.stride == 2u) {
          pair = keys[own[i] + 1u];
        }
        sorted[atomicLoad(&places[digits[i]]) + ranks[i]] = vec2<u32>(ids[i], pair);
      }
    }
    workgroupBarrier(); // all places are read
    for (var i = 0u; i < 4u; i++) {
      if (first + i < end) {
        atomicAdd(&places[digits[i]], 1u);
      }
    }
  }
}
