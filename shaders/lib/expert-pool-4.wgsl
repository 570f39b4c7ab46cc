// expert-pool (up to four pools): the pool is the top byte of the slot number. Functions as in lib/expert-pool-1.wgsl.
const ABSENT = 0xffffffffu;

fn slot_base(slot: u32, slot_vec4: u32) -> u32 {
  return (slot & 0xffffffu) * slot_vec4;
}

fn pool_load(slot: u32, at: u32) -> vec4<u32> {
  switch slot >> 24u {
    case 0u: { return pool0[at]; }
    case 1u: { return pool1[at]; }
    case 2u: { return pool2[at]; }
    default: { return pool3[at]; }
  }
}

fn pool_word(slot: u32, word: u32) -> u32 {
  let at = word / 4u;
  let component = word % 4u;
  switch slot >> 24u {
    case 0u: { return pool0[at][component]; }
    case 1u: { return pool1[at][component]; }
    case 2u: { return pool2[at][component]; }
    default: { return pool3[at][component]; }
  }
}
