// product candidates by counting in a quad, for up to 128 of them: as lib/product-count.wgsl, in the registers of four
// lanes. Lane l holds candidates 16 i + 4 l .. 16 i + 4 l + 3 in sums[i]. Ties are rare, and detected by the sum of
// all ranks.
// needs  number of candidates <= 128; WG = 4; subgroups; product-route.wgsl's functions
const COLUMNS = 8u;

struct Spot {
  a: u32,
  b: u32,
}

// The candidate `steps` after a spot, row by row.
fn advance(start: Spot, steps: u32) -> Spot {
  var spot = Spot(start.a, start.b + steps);
  while (spot.a < params.k && spot.b >= candidates_of(spot.a)) {
    spot.b -= candidates_of(spot.a);
    spot.a++;
  }
  return spot;
}

fn ones(marks: vec4<bool>) -> vec4<u32> {
  return select(vec4<u32>(0u), vec4<u32>(1u), marks);
}

fn above(them: vec4<f32>, own: vec4<f32>) -> vec4<u32> {
  return ones(vec4<f32>(them.x) > own) + ones(vec4<f32>(them.y) > own) + ones(vec4<f32>(them.z) > own)
    + ones(vec4<f32>(them.w) > own);
}

// Number of candidates with an equal sum and a lower id.
fn equal_before(row: u32, sum: f32, id: u32) -> u32 {
  var count = 0u;
  for (var a = 0u; a < params.k; a++) {
    for (var b = 0u; b < candidates_of(a); b++) {
      count += u32(candidate_sum(row, a, b) == sum && candidate_id(row, a, b) < id);
    }
  }
  return count;
}

fn quad_total(value: u32) -> u32 {
  let pair = value + quadSwapX(value);
  return pair + quadSwapY(pair);
}

fn rank_candidates(row: u32, lane: u32) {
  var sums: array<vec4<f32>, COLUMNS>;
  var spots: array<vec4<u32>, COLUMNS>; // rank in half 0 << 16 | rank in half 1
  var candidates = 0u;
  var spot = advance(Spot(0u, 0u), 4u * lane);
  for (var i = 0u; i < COLUMNS; i++) {
    var four = vec4<f32>(-3.0e38);
    var at = vec4<u32>(0u);
    for (var j = 0u; j < 4u; j++) {
      if (spot.a < params.k) {
        four[j] = candidate_sum(row, spot.a, spot.b);
        at[j] = (spot.a << 16u) | spot.b;
        candidates++;
      }
      spot = advance(spot, 1u);
    }
    sums[i] = four;
    spots[i] = at;
    spot = advance(spot, 12u);
  }
  let s0 = sums[0];
  let s1 = sums[1];
  let s2 = sums[2];
  let s3 = sums[3];
  let s4 = sums[4];
  let s5 = sums[5];
  let s6 = sums[6];
  let s7 = sums[7];
  var r0 = vec4<u32>(0u);
  var r1 = vec4<u32>(0u);
  var r2 = vec4<u32>(0u);
  var r3 = vec4<u32>(0u);
  var r4 = vec4<u32>(0u);
  var r5 = vec4<u32>(0u);
  var r6 = vec4<u32>(0u);
  var r7 = vec4<u32>(0u);
  for (var i = 0u; i < COLUMNS; i++) {
    let mine = sums[i];
    let t0 = quadBroadcast(mine, 0u);
    let t1 = quadBroadcast(mine, 1u);
    let t2 = quadBroadcast(mine, 2u);
    let t3 = quadBroadcast(mine, 3u);
    r0 += above(t0, s0) + above(t1, s0) + above(t2, s0) + above(t3, s0);
    r1 += above(t0, s1) + above(t1, s1) + above(t2, s1) + above(t3, s1);
    r2 += above(t0, s2) + above(t1, s2) + above(t2, s2) + above(t3, s2);
    r3 += above(t0, s3) + above(t1, s3) + above(t2, s3) + above(t3, s3);
    r4 += above(t0, s4) + above(t1, s4) + above(t2, s4) + above(t3, s4);
    r5 += above(t0, s5) + above(t1, s5) + above(t2, s5) + above(t3, s5);
    r6 += above(t0, s6) + above(t1, s6) + above(t2, s6) + above(t3, s6);
    r7 += above(t0, s7) + above(t1, s7) + above(t2, s7) + above(t3, s7);
  }
  let ranks = array<vec4<u32>, COLUMNS>(r0, r1, r2, r3, r4, r5, r6, r7);
  let four_ranks = r0 + r1 + r2 + r3 + r4 + r5 + r6 + r7;
  // Without ties, candidates have the ranks 0 .. n - 1, and padding has rank n.
  let n = quad_total(candidates);
  let all_ranks = quad_total(four_ranks.x + four_ranks.y + four_ranks.z + four_ranks.w);
  let has_ties = all_ranks != n * (n - 1u) / 2u + (16u * COLUMNS - n) * n;
  for (var i = 0u; i < COLUMNS; i++) {
    for (var j = 0u; j < 4u; j++) {
      var rank = ranks[i][j];
      if (rank < params.top_k && sums[i][j] > -3.0e38) {
        let a = spots[i][j] >> 16u;
        let b = spots[i][j] & 0xffffu;
        let id = candidate_id(row, a, b);
        if (has_ties) {
          rank += equal_before(row, sums[i][j], id);
        }
        if (rank < params.top_k) {
          place(row, rank, sums[i][j], id);
        }
      }
    }
  }
}
