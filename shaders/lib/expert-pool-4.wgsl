// expert-pool (up to four pools): the pool is the top byte of the slot number. Functions as in lib/expert-pool-1.wgsl.
// No `switch` with returns: SwiftShader's compiler does not terminate on many of them in one shader.
const ABSENT = 0xffffffffu;

struct Words4 {
  a: vec4<u32>,
  b: vec4<u32>,
  c: vec4<u32>,
  d: vec4<u32>,
}

fn slot_base(slot: u32, slot_vec4: u32) -> u32 {
  return (slot & 0xffffffu) * slot_vec4;
}

fn pool_load(slot: u32, at: u32) -> vec4<u32> {
  let pool = slot >> 24u;
  var words = vec4<u32>();
  if (pool == 0u) {
    words = pool0[at];
  } else if (pool == 1u) {
    words = pool1[at];
  } else if (pool == 2u) {
    words = pool2[at];
  } else {
    words = pool3[at];
  }
  return words;
}

fn pool_load4(slot: u32, at: vec4<u32>) -> Words4 {
  let pool = slot >> 24u;
  var words = Words4();
  if (pool == 0u) {
    words = Words4(pool0[at.x], pool0[at.y], pool0[at.z], pool0[at.w]);
  } else if (pool == 1u) {
    words = Words4(pool1[at.x], pool1[at.y], pool1[at.z], pool1[at.w]);
  } else if (pool == 2u) {
    words = Words4(pool2[at.x], pool2[at.y], pool2[at.z], pool2[at.w]);
  } else {
    words = Words4(pool3[at.x], pool3[at.y], pool3[at.z], pool3[at.w]);
  }
  return words;
}

fn pool_word(slot: u32, word: u32) -> u32 {
  return pool_load(slot, word / 4u)[word % 4u];
}

fn pool_word4(slot: u32, word: vec4<u32>) -> vec4<u32> {
  let words = pool_load4(slot, word / 4u);
  let part = word % 4u;
  return vec4<u32>(words.a[part.x], words.b[part.y], words.c[part.z], words.d[part.w]);
}
