// fetch4 (quad): as lib/fetch4-alone.wgsl, but each of four lanes reads one pair and shares it.
// needs  WG = 4, all lanes at the same token and rank; subgroups; called in uniform control flow
struct Four {
  a: Pair,
  b: Pair,
  c: Pair,
  d: Pair,
}

fn fetch4(token: u32, rank: u32, lane: u32) -> Four {
  let own = pair_at(token, rank + lane);
  return Four(
    Pair(
      quadBroadcast(own.gain, 0u), quadBroadcast(own.slot, 0u),
      quadBroadcast(own.base, 0u), quadBroadcast(own.row, 0u),
    ),
    Pair(
      quadBroadcast(own.gain, 1u), quadBroadcast(own.slot, 1u),
      quadBroadcast(own.base, 1u), quadBroadcast(own.row, 1u),
    ),
    Pair(
      quadBroadcast(own.gain, 2u), quadBroadcast(own.slot, 2u),
      quadBroadcast(own.base, 2u), quadBroadcast(own.row, 2u),
    ),
    Pair(
      quadBroadcast(own.gain, 3u), quadBroadcast(own.slot, 3u),
      quadBroadcast(own.base, 3u), quadBroadcast(own.row, 3u),
    ),
  );
}
