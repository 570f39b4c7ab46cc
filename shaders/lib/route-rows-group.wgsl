// route-rows-group: the row of a token in workgroup memory, for one workgroup per token.
//
// parts   const WG, CAPACITY; fn reduce_sum, reduce_max (lib/reduce-workgroup.wgsl)
const STRIDE = WG;

var<workgroup> row: array<f32, CAPACITY>; // values of the steps, at last the affinities; MASKED: never chosen
var<workgroup> slots: array<u32, CAPACITY>; // selection values as bits, then the entries in order
var<workgroup> outcome: Outcome;
var<workgroup> live_count: atomic<u32>;
var<workgroup> fault_count: atomic<u32>;

fn token_of(group: u32, lane: u32) -> u32 {
  return group;
}

// The first expert of a lane, which has every STRIDE-th from there; 0 is the leader.
fn first_of(lane: u32) -> u32 {
  return lane;
}

fn sync() {
  workgroupBarrier();
}

fn begin(lane: u32) {
  if (lane == 0u) {
    atomicStore(&live_count, 0u);
    atomicStore(&fault_count, 0u);
  }
  workgroupBarrier();
}

fn report_fault() {
  atomicAdd(&fault_count, 1u);
}

fn has_faults() -> bool {
  return atomicLoad(&fault_count) > 0u;
}

fn row_sum(value: f32, lane: u32) -> f32 {
  return reduce_sum(value, lane);
}

fn row_max(value: f32, lane: u32) -> f32 {
  return reduce_max(value, lane);
}

fn selection_at(e: u32) -> f32 {
  return bitcast<f32>(slots[e]);
}

fn set_selection(e: u32, value: f32) {
  slots[e] = bitcast<u32>(value);
}
