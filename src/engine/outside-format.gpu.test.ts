/** Weight formats defined from outside: this file is all that they need. */
import { afterAll, describe, expect, test } from 'vitest';
import { packRecord, recordLayout, unpackRecord } from '../weights/record.ts';
import { evenRecords } from '../experts/pools.ts';
import { ExpertStore } from '../experts/store.ts';
import { Gpu } from '../gpu/device.ts';
import { expectOp } from '../graph/op.testing.ts';
import { atomicExpertsNode } from '../graph/ops/atomic-experts.ts';
import { embeddingNode } from '../graph/ops/basic.ts';
import { expertsNode } from '../graph/ops/moe.ts';
import { plainStep } from '../graph/node.ts';
import { checkLinear } from '../kernels/linear/linear.testing.ts';
import { linear, type LinearVariant } from '../kernels/linear/linear.ts';
import { linearTiled } from '../kernels/linear/linear-tiled.ts';
import { randomNormal, runnable, testGpu } from '../kernels/testing.ts';
import { inFormat } from '../kernels/weights.ts';
import { defineFormat, type FormatShaders } from '../weights/format.ts';
import { registerFormat, type FormatName } from '../weights/formats/index.ts';
import { f16ToF32, f32ToF16 } from '../weights/half.ts';
import { encodeMatrix } from '../weights/matrix.ts';
import { largestError, openEngine, readGolden, repositoryFolder, type FixtureGolden } from './testing.ts';

/**
 * What both formats give to kernels, from their own `alias Side`, `read_side` and `fn value(words, side, i)`, weight i of a
 * unit of 32. No example of speed.
 */
const shaders = (side: string): FormatShaders => ({
  sided: true,
  unpack: `${side}
const UNIT = 32u;
const UNIT_VEC4 = 8u;
fn unpack_unit(words: vec4<u32>, side: Side) -> array<vec4<f32>, UNIT_VEC4> {
  var values: array<vec4<f32>, UNIT_VEC4>;
  for (var i = 0u; i < 32u; i++) {
    values[i / 4u][i % 4u] = value(words, side, i);
  }
  return values;
}`,
  dot: `
struct UnitInputs { at: array<vec4<f32>, 8> }
fn unit_inputs(at: u32) -> UnitInputs {
  var inputs: UnitInputs;
  for (var i = 0u; i < 8u; i++) {
    inputs.at[i] = input4(at + i);
  }
  return inputs;
}
fn unit_dot(words: vec4<u32>, inputs: UnitInputs, side: Side) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < 32u; i++) {
    sum += value(words, side, i) * inputs.at[i / 4u][i % 4u];
  }
  return sum;
}`,
  step: `
const STEP = 1u;
struct XStep { quads: array<XQuad, 8> }
fn step_inputs(unit: u32) -> XStep {
  var columns: XStep;
  for (var i = 0u; i < 8u; i++) {
    columns.quads[i] = x_columns(8u * unit + i);
  }
  return columns;
}
fn step_dot(at: u32, in: XStep, side: Side) -> XValue {
  let words = load_w(at);
  var sum = XValue();
  for (var i = 0u; i < 32u; i++) {
    sum += in.quads[i / 4u][i % 4u] * value(words, side, i);
  }
  return sum;
}`,
});

/** Nibbles of all rows, the first of a byte lowest; then this many bytes of something else. */
const planes = (rows: number, cols: number, sideBytes: number) => [
  { name: 'quants', offsetBytes: 0, sizeBytes: (rows * cols) / 2 },
  { name: 'scales', offsetBytes: (rows * cols) / 2, sizeBytes: sideBytes },
];

/** Int4 with a scale for each row: w = scale * q, q from -7 to 7; then the rows' scales, in f32. */
const toy4 = defineFormat({
  name: 'toy4',
  block: 32,
  unit: 32,
  planes: (rows, cols) => planes(rows, cols, 4 * rows),
  wgsl: shaders(`
alias Side = f32;
fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  return bitcast<f32>(side_word(at, row));
}
fn value(words: vec4<u32>, side: Side, i: u32) -> f32 {
  return side * f32(extractBits(bitcast<i32>(words[i / 8u]), 4u * (i % 8u), 4u));
}`),
  decode(bytes, rows, cols) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Float32Array.from({ length: rows * cols }, (_, i) => {
      const quant = (view.getUint8(i >> 1) << (i % 2 === 0 ? 28 : 24)) >> 28;
      return view.getFloat32((rows * cols) / 2 + 4 * Math.floor(i / cols), true) * quant;
    });
  },
  encode(values, rows, cols) {
    const bytes = new Uint8Array((rows * cols) / 2 + 4 * rows);
    const view = new DataView(bytes.buffer);
    for (let row = 0; row < rows; row += 1) {
      const own = values.subarray(row * cols, (row + 1) * cols);
      const scale = Math.fround(own.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 7);
      view.setFloat32((rows * cols) / 2 + 4 * row, scale, true);
      for (const [col, value] of own.entries()) {
        const at = row * cols + col;
        const quant = scale === 0 ? 0 : Math.round(value / scale);
        bytes[at >> 1] = (bytes[at >> 1] ?? 0) | ((quant & 15) << (4 * (at % 2)));
      }
    }
    return bytes;
  },
});

/** Five bits with a minimum: w = scale * q + minimum, q from 0 to 31; for each block the two as f16, and 32 high bits. */
const toy5 = defineFormat({
  name: 'toy5',
  block: 32,
  unit: 32,
  planes: (rows, cols) => planes(rows, cols, (rows * cols) / 4),
  wgsl: shaders(`
struct Side { scale: f32, least: f32, high: u32 }
fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let word = 2u * (row * (cols / 32u) + unit);
  let both = unpack2x16float(side_word(at, word));
  return Side(both.x, both.y, side_word(at, word + 1u));
}
fn value(words: vec4<u32>, side: Side, i: u32) -> f32 {
  let low = extractBits(words[i / 8u], 4u * (i % 8u), 4u);
  return side.scale * f32(low | (extractBits(side.high, i, 1u) << 4u)) + side.least;
}`),
  decode(bytes, rows, cols) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Float32Array.from({ length: rows * cols }, (_, i) => {
      const side = (rows * cols) / 2 + 8 * (i >> 5);
      const low = (view.getUint8(i >> 1) >> (4 * (i % 2))) & 15;
      const high = (view.getUint32(side + 4, true) >>> (i % 32)) & 1;
      const [scale, least] = [view.getUint16(side, true), view.getUint16(side + 2, true)].map(f16ToF32);
      return (scale ?? 0) * (low + 16 * high) + (least ?? 0);
    });
  },
  encode(values, rows, cols) {
    const bytes = new Uint8Array((3 * rows * cols) / 4);
    const view = new DataView(bytes.buffer);
    for (let first = 0; first < rows * cols; first += 32) {
      const own = values.subarray(first, first + 32);
      const least = f32ToF16(Math.min(...own));
      const scale = f32ToF16((Math.max(...own) - f16ToF32(least)) / 31);
      let high = 0;
      for (const [i, value] of own.entries()) {
        const steps = scale === 0 ? 0 : Math.round((value - f16ToF32(least)) / f16ToF32(scale));
        const quant = Math.max(0, Math.min(31, steps));
        const at = first + i;
        bytes[at >> 1] = (bytes[at >> 1] ?? 0) | ((quant & 15) << (4 * (at % 2)));
        high |= (quant >> 4) << i;
      }
      const side = (rows * cols) / 2 + first / 4;
      view.setUint16(side, scale, true);
      view.setUint16(side + 2, least, true);
      view.setUint32(side + 4, high >>> 0, true);
    }
    return bytes;
  },
});

for (const format of [toy4, toy5]) registerFormat(format);
const TOYS = [toy4.name, toy5.name];

const gpu = await testGpu();
const hardware = await Gpu.open({ adapterClass: 'hardware', features: ['subgroups'] });
afterAll(() => hardware.dispose());

const all = <V extends LinearVariant>(kernel: { readonly variants: readonly V[] }) =>
  TOYS.flatMap((format) => runnable(gpu, { ...kernel, variants: inFormat(kernel, format) }));

test.each(all(linear))(
  'linear, $format, $rows rows, $lanes lanes, subgroups $subgroups, bias $bias',
  (variant) => checkLinear(linear, variant, { rows: variant.rows + 1, cols: 96, outs: 37 }),
);

test.each(all(linearTiled))('tiled linear, $format, $rows rows, $outs outputs, bias $bias', (variant) =>
  checkLinear(linearTiled, variant, { rows: variant.rows + 1, cols: 64, outs: 70 }),
);

/** One layer of random records on the GPU, and the same on the CPU. */
async function openExperts(
  device: Gpu,
  format: FormatName,
  units: number,
  shapes: Readonly<Record<string, readonly [rows: number, cols: number]>>,
) {
  const layout = recordLayout(format, shapes);
  const store = await ExpertStore.open(device, evenRecords(1, units, layout));
  const records = Array.from({ length: units }, (_, unit) => {
    const encoded = Object.entries(shapes).map(([name, [rows, cols]], part) => {
      const values = new Uint8Array(randomNormal(rows * cols, 10 * unit + part, 0.3).buffer);
      return [name, encodeMatrix('F32', values, format, rows, cols)] as const;
    });
    return packRecord(layout, Object.fromEntries(encoded));
  });
  for (const [unit, record] of records.entries()) store.put(0, unit, record);
  store.commit();
  const unit = (_layer: number, index: number) => unpackRecord(layout, records[index] ?? new Uint8Array());
  return { gpu: store, cpu: { units: () => units, unit } };
}

const STEPS = [plainStep(1, 0), plainStep(33, 1)];
const TOLERANCE = { absolute: 1e-4, relative: 1e-4 };

const CASES = TOYS.flatMap((format) => [
  [format, 'software', gpu] as const,
  [format, 'hardware', hardware] as const,
]);

describe.each(CASES)('%s as %s', (format, _as, device) => {
  test('embedding', () =>
    expectOp(device, {
      make: embeddingNode,
      io: (builder) => ({
        ids: builder.tensor('ids', { type: 'u32', role: 'input', perToken: 1 }),
        table: builder.matrix('table', 50, 64, 'table'),
        y: builder.tensor('y', { role: 'output', perToken: 64 }),
        multiplier: 3,
      }),
      values: { ids: (count) => Uint32Array.from({ length: count }, (_, i) => (7 * i) % 50) },
      format,
      steps: [plainStep(9, 0)],
    }));

  test('experts', async () => {
    const [experts, topK, hidden, width] = [9, 3, 64, 32];
    const across = [width, hidden] as const;
    const open = await openExperts(device, format, experts, {
      gate: across,
      up: across,
      down: [hidden, width],
    });
    await expectOp(device, {
      make: expertsNode,
      io: (builder) => ({
        x: builder.tensor('x', { role: 'input', perToken: hidden }),
        ids: builder.tensor('ids', { type: 'u32', role: 'input', perToken: topK }),
        weights: builder.tensor('weights', { type: 'f32', role: 'input', perToken: topK }),
        y: builder.tensor('y', { type: 'f32', role: 'output', perToken: hidden }),
        ...{ bank: 0, experts, topK, hidden, width },
        activation: 'silu' as const,
      }),
      values: { ids: (count) => Uint32Array.from({ length: count }, (_, i) => (4 * i) % experts) },
      experts: open,
      steps: STEPS,
      tolerance: TOLERANCE,
    });
    open.gpu.dispose();
  });

  test.each(['tokens', 'experts'] as const)('atomic experts by %s', async (schedule) => {
    const [pages, pageExperts, topK, hidden] = [4, 16, 6, 64];
    const vectors = [pageExperts, hidden] as const;
    const open = await openExperts(device, format, pages, { in: vectors, out: vectors });
    await expectOp(device, {
      make: atomicExpertsNode,
      io: (builder) => ({
        x: builder.tensor('x', { role: 'input', perToken: hidden }),
        ids: builder.tensor('ids', { type: 'u32', role: 'input', perToken: topK }),
        weights: builder.tensor('weights', { type: 'f32', role: 'input', perToken: topK }),
        y: builder.tensor('y', { role: 'output', perToken: hidden }),
        ...{ bank: 0, experts: pages * pageExperts, topK, hidden, schedule },
        activation: 'gelu' as const,
      }),
      values: { ids: (count) => Uint32Array.from({ length: count }, (_, i) => (11 * i) % 64) },
      experts: open,
      steps: STEPS,
      tolerance: TOLERANCE,
    });
    open.gpu.dispose();
  });
});

test.each(TOYS)(
  'a model in %s says the same on GPU and CPU, and nearly what it was made of',
  async (quantize) => {
    const folder = await repositoryFolder('fixtures/models/granitemoe');
    const golden = await readGolden<FixtureGolden>(folder);
    const logits: Float32Array[] = [];
    for (const device of ['gpu', 'cpu', 'reference'] as const) {
      const engine = await openEngine({ device });
      await engine.load(folder, { quantize });
      logits.push(await engine.logits(golden.ids));
      engine.dispose();
    }
    const [onGpu = new Float32Array(), onCpu = new Float32Array()] = logits;
    expect(largestError(onGpu, onCpu)).toBeLessThan(1e-4);
    const want = golden.logits.flat();
    expect(largestError(onGpu, want)).toBeGreaterThan(1e-3);
    const power = want.reduce((sum, value) => sum + value * value, 0);
    const error = want.reduce((sum, value, i) => sum + (value - (onGpu[i] ?? NaN)) ** 2, 0);
    expect(Math.sqrt(error / power)).toBeLessThan(0.3);
  },
);
