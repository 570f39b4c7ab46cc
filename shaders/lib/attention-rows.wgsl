// attention-rows: shared by attention-scores and attention-values: parameters, and the four rows of a tile.
const BLOCK = 16u; // keys in a record; RECORD_KEYS in attention-scores.ts
const MASKED = -3.0e38; // below every score; WGSL may assume that there is no infinity
const LEAST_EXPONENT = -87.0; // below, exp gives no normal f32

struct Params {
  tokens: u32,
  past: u32,
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  scale: f32,
  window: u32,
  chunk: u32,
  first_group: u32, // workgroups of earlier dispatches: long ones are divided
}

struct TileRows {
  live: bool, // false: the tile is past the end
  index: vec4<u32>, // token * heads + head; rows past the end repeat the last one
  seen: vec4<u32>, // a row attends to keys oldest .. seen - 1; neither decreases from one row to the next
  oldest: vec4<u32>,
}

fn tile_rows(tile: u32, kv_head: u32, params: Params) -> TileRows {
  let shared_by = params.heads / params.kv_heads; // query heads per key head
  let rows = params.tokens * shared_by;
  let first = 4u * tile;
  let row = min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u));
  let token = row / shared_by;
  let seen = params.past + token + 1u;
  var oldest = select(vec4<u32>(), seen - min(seen, vec4<u32>(params.window)), params.window > 0u);
  if (params.chunk > 0u) {
    oldest = (seen - 1u) / params.chunk * params.chunk;
  }
  return TileRows(
    first < rows,
    token * params.heads + kv_head * shared_by + row % shared_by,
    seen,
    oldest,
  );
}

fn exp_below(value: vec4<f32>, top: vec4<f32>) -> vec4<f32> {
  return exp(max(value - top, vec4<f32>(LEAST_EXPONENT)));
}
