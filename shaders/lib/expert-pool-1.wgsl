// expert-pool (one pool): reads expert records through slot numbers.
//
// A slot number is pool << 24 | index; ABSENT has no memory. `at` counts vec4s from the start of the pool: the caller
// adds index * (vec4s of a slot) to a place inside the record. src/kernels/expert-pool.ts declares the pools.
// All numbers of pools share: ABSENT, slot_base(), pool_load(), pool_word().
const ABSENT = 0xffffffffu;

// First vec4 of a slot within its pool.
fn slot_base(slot: u32, slot_vec4: u32) -> u32 {
  return (slot & 0xffffffu) * slot_vec4;
}

fn pool_load(slot: u32, at: u32) -> vec4<u32> {
  return pool0[at];
}

// Word number `word` from the start of the pool.
fn pool_word(slot: u32, word: u32) -> u32 {
  return pool0[word / 4u][word % 4u];
}
