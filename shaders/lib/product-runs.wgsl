// product halves in runs, for up to MAX_GRID elements: lanes count ranks within blocks of 64, four elements each; then
// runs are merged in pairs by binary search and truncated to k.
// needs  n <= MAX_GRID; WG a multiple of 4; product-halves.wgsl's functions
const MAX_GRID = 1024u;
const BLOCK = 64u;

var<workgroup> keys: array<vec4<f32>, 256>; // MAX_GRID / 4
var<workgroup> order_a: array<u32, MAX_GRID>; // element numbers, run by run
var<workgroup> order_b: array<u32, MAX_GRID>;
var<workgroup> lane_max: array<f32, WG>;
var<workgroup> lane_sum: array<f32, WG>;

fn key_of(element: u32) -> f32 {
  return keys[element / 4u][element % 4u];
}

// Whether an element precedes each of four others: greater key, or equal key and lower number.
fn stands_before(key: f32, element: u32, keys_of: vec4<f32>, elements: vec4<u32>) -> vec4<u32> {
  let greater = vec4<f32>(key) > keys_of;
  let first = (vec4<f32>(key) == keys_of) & (vec4<u32>(element) < elements);
  return select(vec4<u32>(0u), vec4<u32>(1u), greater | first);
}

// Ranks of elements 4 * quad .. 4 * quad + 3 among the `count` elements from `base` on.
fn block_ranks(quad: u32, base: u32, count: u32) -> vec4<u32> {
  let own = keys[quad];
  let elements = vec4<u32>(4u * quad) + vec4<u32>(0u, 1u, 2u, 3u);
  var ranks = vec4<u32>(0u);
  for (var other = base / 4u; other < (base + count) / 4u; other++) {
    let them = keys[other];
    ranks += stands_before(them.x, 4u * other, own, elements) + stands_before(them.y, 4u * other + 1u, own, elements)
      + stands_before(them.z, 4u * other + 2u, own, elements) + stands_before(them.w, 4u * other + 3u, own, elements);
  }
  return ranks;
}

// How many of the `count` sorted elements from `base` on precede a key; equal keys precede it if `ties`.
fn count_before(from_b: bool, base: u32, count: u32, key: f32, ties: bool) -> u32 {
  var low = 0u;
  var high = count;
  while (low < high) {
    let middle = (low + high) / 2u;
    let other = key_of(select(order_a[base + middle], order_b[base + middle], from_b));
    if (other > key || (ties && other == key)) {
      low = middle + 1u;
    } else {
      high = middle;
    }
  }
  return low;
}

fn rank_row(row: u32, lane: u32) {
  let quads = (params.n + 3u) / 4u;
  let size = 4u * quads;
  var largest = vec4<f32>(PADDING);
  for (var quad = lane; quad < quads; quad += WG) {
    let at = 4u * quad;
    let four = vec4<f32>(logit(row, at), logit(row, at + 1u), logit(row, at + 2u), logit(row, at + 3u));
    keys[quad] = four;
    largest = max(largest, four);
  }
  lane_max[lane] = max(max(largest.x, largest.y), max(largest.z, largest.w));
  workgroupBarrier();

  let lanes = min(WG, quads);
  var shift = 0.0;
  if (params.log_softmax == 1u) {
    shift = PADDING;
    for (var other = 0u; other < lanes; other++) {
      shift = max(shift, lane_max[other]);
    }
    var sum = vec4<f32>(0.0);
    for (var quad = lane; quad < quads; quad += WG) {
      sum += exp(keys[quad] - shift);
    }
    lane_sum[lane] = (sum.x + sum.y) + (sum.z + sum.w);
  }
  let is_one_block = size <= BLOCK;
  for (var quad = lane; quad < quads; quad += WG) {
    let base = 4u * quad / BLOCK * BLOCK;
    let ranks = block_ranks(quad, base, min(BLOCK, size - base));
    for (var i = 0u; i < 4u; i++) {
      if (is_one_block) {
        put(row, ranks[i], 4u * quad + i, keys[quad][i] - shift);
      } else {
        order_a[base + ranks[i]] = 4u * quad + i;
      }
    }
  }
  workgroupBarrier();

  if (lane == 0u) {
    var total = select(1.0, 0.0, params.log_softmax == 1u);
    for (var other = 0u; other < select(0u, lanes, params.log_softmax == 1u); other++) {
      total += lane_sum[other];
    }
    put_log(row, total);
  }

  var in_b = false;
  for (var width = BLOCK; width < size; width *= 2u) {
    let is_last = 2u * width >= size;
    for (var at = lane; at < size; at += WG) {
      let base = at / width * width;
      let place = at - base;
      if (place < params.k) { // runs are truncated to k
        let element = select(order_a[at], order_b[at], in_b);
        let is_right = (base / width) % 2u == 1u;
        let sibling = select(base + width, base - width, is_right);
        var rank = place;
        if (sibling < size) {
          let length = min(min(width, params.k), size - sibling);
          rank += count_before(in_b, sibling, length, key_of(element), is_right);
        }
        let to = min(base, select(base, sibling, is_right)) + rank;
        if (is_last) {
          put(row, rank, element, key_of(element) - shift);
        } else if (rank < params.k) {
          if (in_b) {
            order_a[to] = element;
          } else {
            order_b[to] = element;
          }
        }
      }
    }
    in_b = !in_b;
    workgroupBarrier();
  }
}
