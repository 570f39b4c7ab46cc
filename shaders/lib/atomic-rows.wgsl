// atomic-rows: addresses of the vectors of one-neuron experts. A page has params.page_experts consecutive ids; it is a
// record [input vectors | output vectors] in a slot, and a vector is a row of `units` units.
// needs  lib/weights-*.wgsl; lib/expert-pool-*.wgsl; Params with page_experts and slot_vec4
struct AtomicRow {
  slot: u32,
  base: u32, // offset of the row in its pool, in vec4s
  row: u32, // in its page
}

fn atomic_row(slot: u32, id: u32, units: u32, matrix: u32) -> AtomicRow {
  let row = id % params.page_experts;
  return AtomicRow(slot, slot_base(slot, params.slot_vec4) + matrix + load_index(row * units), row);
}

// `scales` is the offset of the matrix's scales in the record, in words.
#if ${sided}
struct SideAt {
  slot: u32,
  first_word: u32, // of the pool; see lib/expert-matrix.wgsl
}

fn side_word(at: SideAt, word: u32) -> u32 {
  return pool_word(at.slot, at.first_word + word);
}

fn side_vec4(at: SideAt, index: u32) -> vec4<u32> {
  return pool_load(at.slot, at.first_word / 4u + index);
}

fn atomic_scale(at: AtomicRow, unit: u32, units: u32, scales: u32) -> Side {
  let first_word = 4u * slot_base(at.slot, params.slot_vec4) + scales;
  return read_side(SideAt(at.slot, first_word), at.row, unit, units * UNIT);
}
#else
fn atomic_scale(at: AtomicRow, unit: u32, units: u32, scales: u32) -> f32 {
  if (!SCALED) {
    return 1.0;
  }
  let index = unit_scale_index(at.row, unit, units * UNIT);
  let word = pool_word(at.slot, 4u * slot_base(at.slot, params.slot_vec4) + scales + index / 2u);
  return scale_value(word >> (16u * (index % 2u)));
}
#endif
