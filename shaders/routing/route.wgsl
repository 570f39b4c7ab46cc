// route: chooses the experts of each token by a routing rule, and computes their weights
//
//   z = the scores after the steps before the first activation, a = after all steps
//   v = a or z, plus a bias; ids = entries of the order of v that the selection and its filters keep
//   weights = their raw weights, normalised, times the factor and the experts' scales, times scale, plus add
//
// scores  [tokens, scored] f32; infinite ones are masked. Scores from `experts` on are those of null experts
// ids     [tokens, most] u32, weights [tokens, most] f32 as bits; others have id `experts` and weight 0. A token with a
//         NaN among its scores, with more than `most` entries, or with a masked one that was given, has expert 0 with
//         weight NaN
// grid    one workgroup per token, or one lane (folded)
// parts   lib/route-shared.wgsl, lib/route-rows-*.wgsl, lib/route-sort-*.wgsl, the stages (lib/route-*.wgsl), and
//         their wiring: bindings, constants, fn transform, fn write_rows, fn selection_bias, fn drop_entries,
//         fn scale_of
// needs   1 <= scored <= CAPACITY, most >= 1
// v of an expert that is not masked.
fn selection_of(token: u32, e: u32) -> f32 {
  return compared_value(token, e) + selection_bias(e);
}

fn write_selection(token: u32, lane: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    var value = MASKED;
    if (is_live(row[e])) {
      value = selection_of(token, e);
    }
    if (POSITIVE_ONLY && !(value > 0.0)) {
      value = MASKED;
    }
    set_selection(e, value);
  }
  sync();
}

// Decides which entries are left, and how they are normalised.
fn conclude(token: u32, available: u32) -> Outcome {
  let chosen = cut(token, available);
  if (OVER_CHOSEN) {
    var result = normaliser(token, chosen);
    result.count = drop_entries(token, chosen);
    return result;
  }
  return normaliser(token, drop_entries(token, chosen));
}

fn weight_of(token: u32, entry: u32, factor: f32) -> f32 {
  let raw = share(raw_weight(token, entry)) * factor * scale_of(expert_of(entry));
  return raw * params.scale + params.add;
}

fn write_routes(token: u32, lane: u32, factor: f32) {
  let is_faulty = has_faults() || outcome.count > params.most;
  for (var at = lane; at < params.most; at += STRIDE) {
    let place = token * params.most + at;
    var id = params.experts;
    var weight = 0u;
    if (is_faulty && at == 0u) {
      id = 0u;
      weight = NAN_BITS;
    }
    if (!is_faulty && at < outcome.count) {
      id = expert_of(slots[at]);
      weight = bitcast<u32>(weight_of(token, slots[at], factor));
    }
    ids[place] = id;
    weights[place] = weight;
  }
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let token = token_of(linear_group(group, groups), index);
  if (token >= params.tokens) {
    return;
  }
  let lane = first_of(index);
  begin(lane);
  read_row(token, lane);
  transform(token, lane);
  let factor = factor_of_token(lane);
  write_selection(token, lane);
#if ${grouped}
  restrict_to_groups(token, lane);
#endif
  write_rows(token, lane);
  let available = order_entries(token, lane);
  prepare_cut(token, lane);
  if (lane == 0u) {
    outcome = conclude(token, available);
  }
  sync();
  write_routes(token, lane, factor);
}
