// fetch4 (alone): four pairs of a token from `rank` on; each lane reads all four. Common to all variants: Four,
// fetch4().
struct Four {
  a: Pair,
  b: Pair,
  c: Pair,
  d: Pair,
}

fn fetch4(token: u32, rank: u32, lane: u32) -> Four {
  return Four(pair_at(token, rank), pair_at(token, rank + 1u), pair_at(token, rank + 2u), pair_at(token, rank + 3u));
}
