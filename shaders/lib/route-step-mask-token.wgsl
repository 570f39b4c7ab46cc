// route-step-mask-token: v_i is masked where the token's mask is 0; null experts have no mask.
//
// parts   token_mask [tokens, experts] f32
fn step_mask_token(token: u32, lane: u32) {
  for (var e = lane; e < params.experts; e += STRIDE) {
    if (token_mask[token * params.experts + e] == 0.0) {
      row[e] = MASKED;
    }
  }
}
