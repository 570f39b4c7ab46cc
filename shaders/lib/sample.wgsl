// sample: shared by the sampling kernels: the order of candidates, and the representation of logits that are not
// finite.
const NOT_FINITE_ID = 0xffffffffu; // precedes all logits, so that it becomes the first candidate
const LARGEST = 3.0e38; // above every logit; WGSL may assume that there is no infinity
const SMALLEST = -3.0e38;

// Summary of the logits b, b + blocks, b + 2 * blocks, ...
struct Block {
  top: f32, // the largest logit, or LARGEST
  id: u32, // its id (the lowest on ties), or NOT_FINITE_ID
  sum: f32, // sum of exp(logit - top)
  tempered: f32, // sum of exp((logit - top) / temperature)
}

// Infinity or NaN: all exponent bits are set. Tested on the bits, since WGSL may assume that neither occurs.
fn not_finite(bits: u32) -> bool {
  return (bits & 0x7f800000u) == 0x7f800000u;
}

// Whether candidate a precedes b: larger logit; on ties, lower id.
fn before(a: f32, a_id: u32, b: f32, b_id: u32) -> bool {
  return a > b || (a == b && a_id < b_id);
}
