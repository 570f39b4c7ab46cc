// sinkhorn: M = exp(v / temperature) of a sequence of T tokens; columns in turn scaled to sum to T / experts, rows to 1
//
// Scales are kept as logarithms, so that no power overflows or vanishes: M = exp(v / temperature + row + column).
//
// values    [tokens, experts] f32 as bits; below -1e37: 0 in M, and minus infinity in the result
// rows      [tokens] f32, scratch: the logarithms of the rows' scales
// balanced  [tokens, experts] f32 as bits; NaN for all tokens of a sequence with a NaN among its values
// grid      one workgroup per sequence; a lane has whole columns, then whole rows
// parts     the bindings; fn sequence_bounds (lib/sequence-*.wgsl); fn reduce_max (lib/reduce-workgroup.wgsl)
// needs     experts <= 1024; iterations >= 1; temperature > 0
override WG: u32;

const MASKED = -3.0e38;
const MASK_LIMIT = -1.0e37;
const INFINITY_BITS = 0x7f800000u;
const NAN_BITS = 0x7fc00000u;
const MASKED_BITS = 0xff800000u; // minus infinity, which rules read as masked
const MAX_EXPERTS = 1024u;
const LEAST_POWER = -200.0; // its exponential is 0

struct Params {
  tokens: u32,
  experts: u32,
  sequences: u32,
  iterations: u32,
  temperature: f32,
}

var<workgroup> columns: array<f32, MAX_EXPERTS>; // the logarithms of the columns' scales

// The logarithm of an entry before scaling, or MASKED.
fn entry_at(t: u32, e: u32) -> f32 {
  let value = bitcast<f32>(values[t * params.experts + e]);
  return select(MASKED, value / params.temperature, value > MASK_LIMIT);
}

fn has_nan(t: u32) -> bool {
  for (var e = 0u; e < params.experts; e += 1u) {
    if ((values[t * params.experts + e] & 0x7fffffffu) > INFINITY_BITS) {
      return true;
    }
  }
  return false;
}

// The scale with which a column sums to `target_log`, as logarithms; 0 if all its entries are masked.
fn column_scale(e: u32, bounds: vec2<u32>, target_log: f32) -> f32 {
  var largest = MASKED;
  for (var t = bounds.x; t < bounds.y; t += 1u) {
    largest = max(largest, entry_at(t, e) + rows[t]);
  }
  if (largest < MASK_LIMIT) {
    return 0.0;
  }
  var sum = 0.0;
  for (var t = bounds.x; t < bounds.y; t += 1u) {
    sum += exp(max(entry_at(t, e) + rows[t] - largest, LEAST_POWER));
  }
  return target_log - largest - log(sum);
}

// The largest entry of a row with scaled columns, and the sum of the powers relative to it; 0 if all are masked.
fn row_powers(t: u32) -> vec2<f32> {
  var largest = MASKED;
  for (var e = 0u; e < params.experts; e += 1u) {
    largest = max(largest, entry_at(t, e) + columns[e]);
  }
  if (largest < MASK_LIMIT) {
    return vec2<f32>(0.0, 0.0);
  }
  var sum = 0.0;
  for (var e = 0u; e < params.experts; e += 1u) {
    sum += exp(max(entry_at(t, e) + columns[e] - largest, LEAST_POWER));
  }
  return vec2<f32>(largest, sum);
}

fn row_scale(t: u32) -> f32 {
  let powers = row_powers(t);
  return select(-powers.x - log(max(powers.y, 1.0)), 0.0, powers.y == 0.0);
}

// Powers are divided by their sum, not scaled by its logarithm, which would be less exact.
fn write_row(t: u32, is_faulty: bool) {
  let powers = row_powers(t);
  for (var e = 0u; e < params.experts; e += 1u) {
    let entry = entry_at(t, e);
    var word = MASKED_BITS;
    if (entry > MASK_LIMIT) {
      word = bitcast<u32>(exp(max(entry + columns[e] - powers.x, LEAST_POWER)) / powers.y);
    }
    balanced[t * params.experts + e] = select(word, NAN_BITS, is_faulty);
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let bounds = sequence_bounds(group.x);
  var own_faults = 0.0;
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    rows[t] = 0.0;
    own_faults += select(0.0, 1.0, has_nan(t));
  }
  let faults = reduce_max(own_faults, lane);
  let target_log = log(f32(bounds.y - bounds.x) / f32(params.experts));
  storageBarrier();
  for (var iteration = 0u; iteration < params.iterations; iteration += 1u) {
    for (var e = lane; e < params.experts; e += WG) {
      columns[e] = column_scale(e, bounds, target_log);
    }
    workgroupBarrier();
    for (var t = bounds.x + lane; t < bounds.y; t += WG) {
      rows[t] = row_scale(t);
    }
    storageBarrier();
    workgroupBarrier();
  }
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    write_row(t, faults > 0.0);
  }
}
