// route-vectors-request: rows of the layer, then rows of the request, which follow them in number.
//
// parts   vectors [LAYER_VECTORS, scored], request_vectors [rows, scored] f32; const LAYER_VECTORS
fn vector_at(vector: u32, e: u32) -> f32 {
  if (vector < LAYER_VECTORS) {
    return vectors[vector * params.scored + e];
  }
  return request_vectors[(vector - LAYER_VECTORS) * params.scored + e];
}
