// hooked-gate: the gate with the hooks of a request: experts whose logits hook-logits has masked are never chosen,
// other ranks than the first ones may be, and tokens may be given their experts and weights
//
// hooks   u32: how many ranks are looked at; 1 if routes are replayed; 1 if their weights are too; the slot of each
//         rank [experts], top_k or more where the rank is not chosen; then for each token top_k ids and the bits of
//         top_k weights. A token whose first id is FREE chooses for itself; the id params.experts pads
// factors [experts] f32, of rules that have them
// marks   factored: with factors
// grid    that of the gate
// parts   the gate with the mark hooked: lib/gate.wgsl; gate-lane.wgsl with hooked-gate-lane.wgsl, or gate-group.wgsl
const HEAD = 3u;
const FREE = 0xffffffffu;

@group(0) @binding(4) var<storage, read> hooks: array<u32>;
#if ${factored}
@group(0) @binding(5) var<storage, read> factors: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;
#else
@group(0) @binding(5) var<uniform> params: Params;
#endif

// The first of the ids of a token.
fn replay_at(token: u32) -> u32 {
  return HEAD + params.experts + 2u * params.top_k * token;
}

fn is_replayed(token: u32) -> bool {
  return hooks[1] != 0u && hooks[replay_at(token)] != FREE;
}

fn ranks_read(token: u32) -> u32 {
  return select(hooks[0], params.top_k, is_replayed(token));
}

fn slot_of(token: u32, rank: u32) -> u32 {
  return select(hooks[HEAD + rank], rank, is_replayed(token));
}

// The rank of expert e among the replayed ids of a token; top_k if it is not one of them.
fn replayed_rank(token: u32, e: u32) -> u32 {
  let at = replay_at(token);
  for (var r = 0u; r < params.top_k; r += 1u) {
    if (hooks[at + r] == e) {
      return r;
    }
  }
  return params.top_k;
}

// Replayed experts in their order; without a replay, masked ones last, which are not chosen.
fn hooked_selection(token: u32, e: u32, value: f32) -> f32 {
  if (is_replayed(token)) {
    let rank = replayed_rank(token, e);
    return select(f32(params.top_k - rank), MASKED, rank == params.top_k);
  }
  return select(value, MASKED, logits[token * params.experts + e] < MASK_LIMIT);
}

fn hooked_weight(token: u32, e: u32, weight: f32) -> f32 {
  if (hooks[2] == 0u || !is_replayed(token)) {
    return weight;
  }
  return bitcast<f32>(hooks[replay_at(token) + params.top_k + replayed_rank(token, e)]);
}
