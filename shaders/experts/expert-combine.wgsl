// expert-combine: y[token, :] = sum over ranks r of weights[token, r] * out[row, :], in rank order
//
// out      [rows, hidden] f32; row is the pair's number, or its place if the rows are sorted by expert
// place    [tokens * top_k] u32, if the rows are sorted; 0xffffffff: the pair has no row
// weights  [tokens, top_k] f32        y [tokens, hidden] scalar        sums in f32
// grid     one lane per token and four outputs, WG lanes per workgroup (folded), outputs innermost
// parts    alias scalar4; fn linear_group (lib/grid.wgsl)
// needs    hidden a multiple of 4
override WG: u32;

const NO_ROW = 0xffffffffu;

struct Params {
  tokens: u32,
  top_k: u32,
  hidden: u32,
}

@group(0) @binding(0) var<storage, read> out: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<scalar4>;
#if ${sorted}
@group(0) @binding(3) var<storage, read> place: array<u32>;
@group(0) @binding(4) var<uniform> params: Params;

fn row_of(pair: u32) -> u32 {
  return place[pair];
}
#else
@group(0) @binding(3) var<uniform> params: Params;

fn row_of(pair: u32) -> u32 {
  return pair;
}
#endif

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quads = params.hidden / 4u;
  let number = linear_group(group, groups) * WG + lane;
  let token = number / quads;
  if (token >= params.tokens) {
    return;
  }
  let quad = number % quads;
  let top_k = params.top_k;
  var sum = vec4<f32>();
  for (var rank = 0u; rank < top_k; rank += 1u) {
    let pair = token * top_k + rank;
    let row = row_of(pair);
    if (row != NO_ROW) {
      sum = fma(vec4<f32>(weights[pair]), out[row * quads + quad], sum);
    }
  }
  y[number] = scalar4(sum);
}
