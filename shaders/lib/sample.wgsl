// sample: what the sampling kernels share: the order of candidates, and what represents a logit that is not a number.
const NOT_FINITE_ID = 0xffffffffu; // wins every comparison of logits, so that it ends up as the first candidate
const LARGEST = 3.0e38; // above every logit; WGSL may assume that there is no infinity
const SMALLEST = -3.0e38;

// What is known of the logits id = b, b + blocks, b + 2 * blocks, ...
struct Block {
  top: f32, // the largest logit, or LARGEST
  id: u32, // its id, the lowest of equals, or NOT_FINITE_ID
  sum: f32, // of exp(logit - top)
  tempered: f32, // of exp((logit - top) / temperature)
}

// Infinite or not a number: all bits of the exponent are set. Told by bits, since WGSL may assume there is neither.
fn not_finite(bits: u32) -> bool {
  return (bits & 0x7f800000u) == 0x7f800000u;
}

// Whether candidate a comes before b: the larger logit, the lower id among equals.
fn before(a: f32, a_id: u32, b: f32, b_id: u32) -> bool {
  return a > b || (a == b && a_id < b_id);
}
