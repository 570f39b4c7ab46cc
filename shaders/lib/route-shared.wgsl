// route-shared: parameters, masks and the input of the kernels that read a row of scores.
//
// parts   the bindings of the rule, and the wiring of its stages, both written by the record
const MASKED = -3.0e38;
const MASK_LIMIT = -1.0e37;
const INFINITY_BITS = 0x7f800000u;
const NAN_BITS = 0x7fc00000u;

struct Params {
  tokens: u32,
  experts: u32,
  scored: u32,
  most: u32,
  limit: u32,
  least: u32,
  groups: u32,
  keep: u32,
  given: u32,
  p: f32,
  entropy_index: f32,
  entropy_threshold: f32,
  eps: f32,
  scale: f32,
  add: f32,
  number_0: f32,
  number_1: f32,
  number_2: f32,
  number_3: f32,
  number_4: f32,
  number_5: f32,
  number_6: f32,
  number_7: f32,
}

// What the leader decides for all lanes of its token.
struct Outcome {
  count: u32, // entries that are left
  shift: f32, // of the normalisation
  sum: f32,
}

fn is_live(value: f32) -> bool {
  return value > MASK_LIMIT;
}

// An entry of the order: an expert, and its rank before entries were removed.
fn entry_of(rank: u32, e: u32) -> u32 {
  return (rank << 16u) | e;
}

fn expert_of(entry: u32) -> u32 {
  return entry & 0xffffu;
}

// Masked experts have the affinity 0.
fn affinity_at(e: u32) -> f32 {
  let value = row[e];
  return select(0.0, value, is_live(value));
}

// Infinite scores are masked; NaN is a fault of the token.
fn read_row(token: u32, lane: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    let word = scores[token * params.scored + e];
    let magnitude = word & 0x7fffffffu;
    if (magnitude > INFINITY_BITS) {
      report_fault();
    }
    row[e] = MASKED;
    if (magnitude < INFINITY_BITS) {
      row[e] = bitcast<f32>(word);
    }
  }
  sync();
}

// The bits of an output value: NaN for a token with faults.
fn bits_of(value: f32) -> u32 {
  return select(bitcast<u32>(value), NAN_BITS, has_faults());
}
