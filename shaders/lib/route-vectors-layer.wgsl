// route-vectors-layer: the rows [scored] of one number for each score that the stages name.
//
// parts   vectors [rows, scored] f32
fn vector_at(vector: u32, e: u32) -> f32 {
  return vectors[vector * params.scored + e];
}
