// route-rows-lane: the row of a token in the memory of one lane, for software adapters, where barriers are slow.
//
// parts   const WG, CAPACITY
const STRIDE = 1u;

var<private> row: array<f32, CAPACITY>; // values of the steps, at last the affinities; MASKED: never chosen
var<private> selection: array<f32, CAPACITY>;
var<private> slots: array<u32, CAPACITY>; // the entries in order
var<private> outcome: Outcome;
var<private> fault_count: u32;

fn token_of(group: u32, lane: u32) -> u32 {
  return group * WG + lane;
}

// The first expert of a lane, which has every STRIDE-th from there; 0 is the leader.
fn first_of(lane: u32) -> u32 {
  return 0u;
}

fn sync() {
}

fn begin(lane: u32) {
  fault_count = 0u;
}

fn report_fault() {
  fault_count += 1u;
}

fn has_faults() -> bool {
  return fault_count > 0u;
}

fn row_sum(value: f32, lane: u32) -> f32 {
  return value;
}

fn row_max(value: f32, lane: u32) -> f32 {
  return value;
}

fn selection_at(e: u32) -> f32 {
  return selection[e];
}

fn set_selection(e: u32, value: f32) {
  selection[e] = value;
}
