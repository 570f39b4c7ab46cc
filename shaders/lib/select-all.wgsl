// select-all: every expert may be chosen. Selections of single experts say so of each by its selection value.
fn may_choose(e: u32, value: f32) -> bool {
  return true;
}
