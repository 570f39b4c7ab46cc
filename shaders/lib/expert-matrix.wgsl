// expert-matrix: one matrix of an expert's record.
//
// parts  lib/weights-*.wgsl; the pools and lib/expert-pool-*.wgsl
struct Matrix {
  slot: u32,
  units: u32, // of a row
  base: u32, // offset in the pool, in vec4s
  scales: u32, // offset in the pool, in words; unused unless the format is SCALED
}

// `at` and `scales` are offsets in the record, in vec4s and words.
fn matrix_at(slot: u32, slot_vec4: u32, units: u32, at: u32, scales: u32) -> Matrix {
  let base = slot_base(slot, slot_vec4);
  return Matrix(slot, units, base + at, 4u * base + scales);
}

// Numbers of a vector of f32, `offset` vec4s into a record.
fn record_value(slot: u32, slot_vec4: u32, offset: u32, at: u32) -> f32 {
  return bitcast<f32>(pool_word(slot, 4u * (slot_base(slot, slot_vec4) + offset) + at));
}

fn record_values(slot: u32, slot_vec4: u32, offset: u32, at: vec4<u32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(pool_word4(slot, 4u * (slot_base(slot, slot_vec4) + offset) + at));
}

#if ${sided}
// A side is the data of a unit besides its 16 bytes: a scale, a minimum, high bits. The format defines alias Side and
// fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side, which reads the second plane by side_word()
// and side_vec4(), words and groups of four.
struct SideAt {
  slot: u32,
  first_word: u32, // of the pool
}

fn side_word(at: SideAt, word: u32) -> u32 {
  return pool_word(at.slot, at.first_word + word);
}

fn side_vec4(at: SideAt, index: u32) -> vec4<u32> {
  return pool_load(at.slot, at.first_word / 4u + index);
}

fn scale_of(matrix: Matrix, row: u32, unit: u32) -> Side {
  return read_side(SideAt(matrix.slot, matrix.scales), row, unit, matrix.units * UNIT);
}
#else
fn scale_of(matrix: Matrix, row: u32, unit: u32) -> f32 {
  if (!SCALED) {
    return 1.0;
  }
  let index = unit_scale_index(row, unit, matrix.units * UNIT);
  let word = pool_word(matrix.slot, matrix.scales + index / 2u);
  return scale_value(word >> (16u * (index % 2u)));
}
#endif
