// cell-random: a number in [0, 1) of seed n0, layer n1, the position in the sequence and the column; n3 tokens before.
//
// parts   params, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let position = params.n3 + t - bounds_of(t).x;
  var hash = params.n0 ^ (params.n1 * 0x9E3779B9u) ^ (position * 0x85EBCA6Bu) ^ (i * 0xC2B2AE35u);
  hash = (hash ^ (hash >> 16u)) * 0x7FEB352Du;
  hash = (hash ^ (hash >> 15u)) * 0x846CA68Bu;
  hash = hash ^ (hash >> 16u);
  return f32(hash >> 8u) / 16777216.0;
}
