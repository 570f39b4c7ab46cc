// product candidates by counting, for small top_k: every candidate counts the candidates before it. One barrier.
// needs  CANDIDATE_QUADS * 4 >= number of candidates; product-route.wgsl's functions
var<workgroup> sums: array<vec4<f32>, CANDIDATE_QUADS>;
var<workgroup> sum_ids: array<vec4<u32>, CANDIDATE_QUADS>;

fn equal_before(sum: f32, id: u32, total: u32) -> u32 {
  var count = 0u;
  for (var other = 0u; other < total; other++) {
    let same = sums[other] == vec4<f32>(sum);
    let first = select(vec4<u32>(0u), vec4<u32>(1u), same & (sum_ids[other] < vec4<u32>(id)));
    count += first.x + first.y + first.z + first.w;
  }
  return count;
}

fn rank_candidates(row: u32, lane: u32) {
  var candidates = 0u;
  for (var a = 0u; a < params.k; a++) {
    candidates += candidates_of(a);
  }
  let quads = (candidates + 3u) / 4u;
  for (var quad = lane; quad < quads; quad += WG) {
    var a = 0u;
    var b = 4u * quad;
    while (a < params.k && b >= candidates_of(a)) {
      b -= candidates_of(a);
      a++;
    }
    var four = vec4<f32>(-3.0e38);
    var four_ids = vec4<u32>(0xffffffffu);
    for (var i = 0u; i < 4u && a < params.k; i++) {
      four[i] = candidate_sum(row, a, b);
      four_ids[i] = candidate_id(row, a, b);
      b++;
      if (b == candidates_of(a)) {
        a++;
        b = 0u;
      }
    }
    sums[quad] = four;
    sum_ids[quad] = four_ids;
  }
  workgroupBarrier();
  for (var quad = lane; quad < quads; quad += WG) {
    let own = sums[quad];
    var greater = vec4<u32>(0u);
    var equal = vec4<u32>(0u);
    for (var other = 0u; other < quads; other++) {
      let them = sums[other];
      greater += select(vec4<u32>(0u), vec4<u32>(1u), vec4<f32>(them.x) > own)
        + select(vec4<u32>(0u), vec4<u32>(1u), vec4<f32>(them.y) > own)
        + select(vec4<u32>(0u), vec4<u32>(1u), vec4<f32>(them.z) > own)
        + select(vec4<u32>(0u), vec4<u32>(1u), vec4<f32>(them.w) > own);
      equal += select(vec4<u32>(0u), vec4<u32>(1u), vec4<f32>(them.x) == own)
        + select(vec4<u32>(0u), vec4<u32>(1u), vec4<f32>(them.y) == own)
        + select(vec4<u32>(0u), vec4<u32>(1u), vec4<f32>(them.z) == own)
        + select(vec4<u32>(0u), vec4<u32>(1u), vec4<f32>(them.w) == own);
    }
    for (var i = 0u; i < 4u; i++) {
      if (4u * quad + i < candidates && greater[i] < params.top_k) {
        var rank = greater[i];
        if (equal[i] > 1u) {
          rank += equal_before(own[i], sum_ids[quad][i], quads);
        }
        if (rank < params.top_k) {
          place(row, rank, own[i], sum_ids[quad][i]);
        }
      }
    }
  }
}
