// expert-pool (one pool): reads expert records through slot numbers.
//
// A slot number is pool << 24 | index; ABSENT has no memory. `at` is an offset in the pool in vec4s: index * (vec4s of
// a slot) + offset in the record. expert-pool.ts declares the pools.
// Common to all numbers of pools: ABSENT, slot_base(), pool_load(), pool_load4(), pool_word().
const ABSENT = 0xffffffffu;

struct Words4 {
  a: vec4<u32>,
  b: vec4<u32>,
  c: vec4<u32>,
  d: vec4<u32>,
}

// First vec4 of a slot within its pool.
fn slot_base(slot: u32, slot_vec4: u32) -> u32 {
  return (slot & 0xffffffu) * slot_vec4;
}

fn pool_load(slot: u32, at: u32) -> vec4<u32> {
  return pool0[at];
}

// Four loads: with several pools, the pool is selected once for all four.
fn pool_load4(slot: u32, at: vec4<u32>) -> Words4 {
  return Words4(pool0[at.x], pool0[at.y], pool0[at.z], pool0[at.w]);
}

// Word `word` of the pool.
fn pool_word(slot: u32, word: u32) -> u32 {
  return pool0[word / 4u][word % 4u];
}

fn pool_word4(slot: u32, word: vec4<u32>) -> vec4<u32> {
  let at = word / 4u;
  let part = word % 4u;
  return vec4<u32>(pool0[at.x][part.x], pool0[at.y][part.y], pool0[at.z][part.z], pool0[at.w][part.w]);
}
