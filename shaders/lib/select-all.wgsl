// select-all: every expert may be chosen. A selection of single experts defines may_choose, by the selection value.
fn may_choose(e: u32, value: f32) -> bool {
  return true;
}
