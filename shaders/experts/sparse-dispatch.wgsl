// sparse-dispatch: sorts the (token, rank) pairs of a step by expert and divides each expert's run into tiles.
//
// A stable counting sort in one dispatch: every workgroup counts all ids (integer counts do not depend on their order)
// and places the pairs of its own chunk. A pair has the number token * topK + rank; an id >= experts means no expert:
// such pairs come last in `sorted` and have no place and no tile.
//
// ids      [pairs] u32                       by pair number
// counts   [experts] u32                     pairs of each expert
// offsets  [experts + 1] u32                 start of each expert's run in `sorted`
// sorted   [pairs] u32                       pair numbers by (expert, pair number)
// place    [pairs] u32                       position of a pair in `sorted`; 0xffffffff: none
// tiles    [tiles, 4 + tile_rows] u32        expert, first place, rows, 0, the pair numbers of the rows (rest unset)
// args     [3] u32                           number of tiles, args_y, args_z: of an indirect dispatch
// grid     one workgroup per CHUNK pairs (folded), at least one; the first also writes counts, offsets and args
// parts    fn linear_group (lib/grid.wgsl)
// needs    experts <= CAPACITY; tile_rows >= 1
override WG: u32;
override CHUNK: u32;
override CAPACITY: u32;

const NOWHERE = 0xffffffffu;

struct Params {
  pairs: u32,
  experts: u32,
  tile_rows: u32,
  args_y: u32,
  args_z: u32,
}

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>;
@group(0) @binding(2) var<storage, read_write> offsets: array<u32>;
@group(0) @binding(3) var<storage, read_write> sorted: array<u32>;
@group(0) @binding(4) var<storage, read_write> place: array<u32>;
@group(0) @binding(5) var<storage, read_write> tiles: array<u32>;
@group(0) @binding(6) var<storage, read_write> args: array<u32>;
@group(0) @binding(7) var<uniform> params: Params;

// Bucket params.experts holds the pairs without an expert.
var<workgroup> totals: array<atomic<u32>, CAPACITY + 1>; // pairs of the bucket; then the start of its run
var<workgroup> before: array<atomic<u32>, CAPACITY + 1>; // pairs of the bucket in earlier chunks
var<workgroup> first_tile: array<u32, CAPACITY + 1>;
var<workgroup> chunk: array<u32, CHUNK>; // buckets of the chunk's pairs
var<workgroup> lane_pairs: array<u32, WG>; // in the buckets of each lane
var<workgroup> lane_tiles: array<u32, WG>;

fn tiles_of(bucket: u32, count: u32) -> u32 {
  return select(0u, (count + params.tile_rows - 1u) / params.tile_rows, bucket < params.experts);
}

fn count_all(first: u32, lane: u32) {
  for (var bucket = lane; bucket <= params.experts; bucket += WG) {
    atomicStore(&totals[bucket], 0u);
    atomicStore(&before[bucket], 0u);
  }
  workgroupBarrier();
  for (var pair = lane; pair < params.pairs; pair += WG) {
    let bucket = min(ids[pair], params.experts);
    atomicAdd(&totals[bucket], 1u);
    if (pair < first) {
      atomicAdd(&before[bucket], 1u);
    } else if (pair < first + CHUNK) {
      chunk[pair - first] = bucket;
    }
  }
}

// Exclusive prefix sum of totals: starts of runs. Each lane has `span` adjacent buckets.
fn scan(lane: u32, span: u32, writes: bool) {
  let end = min((lane + 1u) * span, params.experts + 1u);
  var pairs = 0u;
  var tile = 0u;
  for (var bucket = lane * span; bucket < end; bucket += 1u) {
    let count = atomicLoad(&totals[bucket]);
    pairs += count;
    tile += tiles_of(bucket, count);
  }
  lane_pairs[lane] = pairs;
  lane_tiles[lane] = tile;
  workgroupBarrier();
  pairs = 0u;
  tile = 0u;
  for (var other = 0u; other < lane; other += 1u) {
    pairs += lane_pairs[other];
    tile += lane_tiles[other];
  }
  for (var bucket = lane * span; bucket < end; bucket += 1u) {
    let count = atomicLoad(&totals[bucket]);
    atomicStore(&totals[bucket], pairs);
    first_tile[bucket] = tile;
    if (writes) {
      offsets[bucket] = pairs;
      if (bucket < params.experts) {
        counts[bucket] = count;
      } else {
        args[0] = tile;
        args[1] = params.args_y;
        args[2] = params.args_z;
      }
    }
    pairs += count;
    tile += tiles_of(bucket, count);
  }
}

// Writes pair `at` of the chunk to `sorted` and to its tile.
fn put(first: u32, at: u32) {
  let pair = first + at;
  let bucket = chunk[at];
  var rank = atomicLoad(&before[bucket]);
  for (var other = 0u; other < at; other += 1u) {
    rank += select(0u, 1u, chunk[other] == bucket);
  }
  let begin = atomicLoad(&totals[bucket]);
  sorted[begin + rank] = pair;
  if (bucket == params.experts) {
    place[pair] = NOWHERE;
    return;
  }
  place[pair] = begin + rank;
  let row = rank % params.tile_rows;
  let tile = (first_tile[bucket] + rank / params.tile_rows) * (4u + params.tile_rows);
  tiles[tile + 4u + row] = pair;
  if (row == 0u) {
    let count = atomicLoad(&totals[bucket + 1u]) - begin;
    tiles[tile] = bucket;
    tiles[tile + 1u] = begin + rank;
    tiles[tile + 2u] = min(params.tile_rows, count - rank);
    tiles[tile + 3u] = 0u;
  }
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = linear_group(group, groups);
  let first = number * CHUNK;
  count_all(first, lane);
  workgroupBarrier();
  scan(lane, params.experts / WG + 1u, number == 0u);
  workgroupBarrier();
  let size = min(CHUNK, max(params.pairs, first) - first);
  for (var at = lane; at < size; at += WG) {
    put(first, at);
  }
}
