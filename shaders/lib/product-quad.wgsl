// product halves in a quad, for up to 64 elements: all in the registers of four lanes, without workgroup memory or
// barriers, which cost software adapters more than all comparisons do. Lane l holds elements
// 16 c + 4 l .. 16 c + 4 l + 3 in column c.
// needs  n <= 64; WG = 4; subgroups; product-halves.wgsl's functions
struct Ranks {
  a: vec4<u32>, // of column 0; b of column 1, ...
  b: vec4<u32>,
  c: vec4<u32>,
  d: vec4<u32>,
}

fn ones(marks: vec4<bool>) -> vec4<u32> {
  return select(vec4<u32>(0u), vec4<u32>(1u), marks);
}

// For four elements later in the row: how many precede each of the lane's own elements (greater ones).
fn later(them: vec4<f32>, own: vec4<f32>) -> vec4<u32> {
  return ones(vec4<f32>(them.x) > own) + ones(vec4<f32>(them.y) > own) + ones(vec4<f32>(them.z) > own)
    + ones(vec4<f32>(them.w) > own);
}

// For four elements earlier in the row: greater or equal ones.
fn earlier(them: vec4<f32>, own: vec4<f32>) -> vec4<u32> {
  return ones(vec4<f32>(them.x) >= own) + ones(vec4<f32>(them.y) >= own) + ones(vec4<f32>(them.z) >= own)
    + ones(vec4<f32>(them.w) >= own);
}

// Within the lane's own four elements.
fn inside(own: vec4<f32>) -> vec4<u32> {
  let x = (vec4<f32>(own.x) > own) | ((vec4<f32>(own.x) == own) & vec4<bool>(false, true, true, true));
  let y = (vec4<f32>(own.y) > own) | ((vec4<f32>(own.y) == own) & vec4<bool>(false, false, true, true));
  let z = (vec4<f32>(own.z) > own) | ((vec4<f32>(own.z) == own) & vec4<bool>(false, false, false, true));
  return ones(x) + ones(y) + ones(z) + ones(vec4<f32>(own.w) > own);
}

// For the four elements of a lane in the same column, possibly this lane.
fn beside(them: vec4<f32>, own: vec4<f32>, other: u32, lane: u32) -> vec4<u32> {
  let there = select(later(them, own), earlier(them, own), other < lane);
  return select(there, inside(own), other == lane);
}

// Ranks against all elements of one lane.
fn against(them: mat4x4<f32>, own: mat4x4<f32>, other: u32, lane: u32) -> Ranks {
  return Ranks(
    beside(them[0], own[0], other, lane) + later(them[1], own[0]) + later(them[2], own[0]) + later(them[3], own[0]),
    earlier(them[0], own[1]) + beside(them[1], own[1], other, lane) + later(them[2], own[1]) + later(them[3], own[1]),
    earlier(them[0], own[2]) + earlier(them[1], own[2]) + beside(them[2], own[2], other, lane) + later(them[3], own[2]),
    earlier(them[0], own[3]) + earlier(them[1], own[3]) + earlier(them[2], own[3])
      + beside(them[3], own[3], other, lane),
  );
}

fn four_logits(row: u32, at: u32) -> vec4<f32> {
  return vec4<f32>(logit(row, at), logit(row, at + 1u), logit(row, at + 2u), logit(row, at + 3u));
}

fn put_four(row: u32, ranks: vec4<u32>, element: u32, scores_of: vec4<f32>) {
  put(row, ranks.x, element, scores_of.x);
  put(row, ranks.y, element + 1u, scores_of.y);
  put(row, ranks.z, element + 2u, scores_of.z);
  put(row, ranks.w, element + 3u, scores_of.w);
}

fn quad_max(value: f32) -> f32 {
  let pair = max(value, quadSwapX(value));
  return max(pair, quadSwapY(pair));
}

fn quad_sum(value: f32) -> f32 {
  let pair = value + quadSwapX(value);
  return pair + quadSwapY(pair);
}

fn rank_row(row: u32, lane: u32) {
  let first = 4u * lane;
  let own = mat4x4<f32>(
    four_logits(row, first),
    four_logits(row, first + 16u),
    four_logits(row, first + 32u),
    four_logits(row, first + 48u),
  );
  let lane0 = mat4x4<f32>(
    quadBroadcast(own[0], 0u), quadBroadcast(own[1], 0u),
    quadBroadcast(own[2], 0u), quadBroadcast(own[3], 0u),
  );
  let lane1 = mat4x4<f32>(
    quadBroadcast(own[0], 1u), quadBroadcast(own[1], 1u),
    quadBroadcast(own[2], 1u), quadBroadcast(own[3], 1u),
  );
  let lane2 = mat4x4<f32>(
    quadBroadcast(own[0], 2u), quadBroadcast(own[1], 2u),
    quadBroadcast(own[2], 2u), quadBroadcast(own[3], 2u),
  );
  let lane3 = mat4x4<f32>(
    quadBroadcast(own[0], 3u), quadBroadcast(own[1], 3u),
    quadBroadcast(own[2], 3u), quadBroadcast(own[3], 3u),
  );
  let most = max(max(own[0], own[1]), max(own[2], own[3]));
  let top = vec4<f32>(quad_max(max(max(most.x, most.y), max(most.z, most.w))));
  let shifts = select(vec4<f32>(0.0), top, params.log_softmax == 1u);
  let powers = exp(own[0] - top) + exp(own[1] - top) + exp(own[2] - top) + exp(own[3] - top);
  let sum = quad_sum((powers.x + powers.y) + (powers.z + powers.w));
  let r0 = against(lane0, own, 0u, lane);
  let r1 = against(lane1, own, 1u, lane);
  let r2 = against(lane2, own, 2u, lane);
  let r3 = against(lane3, own, 3u, lane);
  // Padding ranks after all elements, and k <= n.
  put_four(row, r0.a + r1.a + r2.a + r3.a, first, own[0] - shifts);
  put_four(row, r0.b + r1.b + r2.b + r3.b, first + 16u, own[1] - shifts);
  put_four(row, r0.c + r1.c + r2.c + r3.c, first + 32u, own[2] - shifts);
  put_four(row, r0.d + r1.d + r2.d + r3.d, first + 48u, own[3] - shifts);
  if (lane == 0u) {
    put_log(row, sum);
  }
}
