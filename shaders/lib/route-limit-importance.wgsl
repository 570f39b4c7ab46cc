// route-limit-importance: k = min(limit, least + floor(r (limit - least + 1))), r in [0, 1] the token's importance.
//
// parts   importance [tokens] f32
fn sort_limit(token: u32) -> u32 {
  let choices = f32(params.limit - params.least + 1u);
  return min(params.limit, params.least + u32(floor(importance[token] * choices)));
}
