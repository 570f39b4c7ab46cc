/** A weight format defined from outside: this file is all that it needs. */
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
import { checkLinear } from '../kernels/linear.testing.ts';
import { linear } from '../kernels/linear.ts';
import { linearTiled } from '../kernels/linear-tiled.ts';
import { randomNormal, runnable, testGpu } from '../kernels/testing.ts';
import { inFormat } from '../kernels/weights.ts';
import { defineFormat } from '../weights/format.ts';
import { registerFormat } from '../weights/formats/index.ts';
import { encodeMatrix } from '../weights/matrix.ts';
import { largestError, openEngine, readGolden, repositoryFolder, type FixtureGolden } from './testing.ts';

const NIBBLE = `
fn int4(word: u32, at: u32) -> f32 {
  return f32(extractBits(bitcast<i32>(word), 4u * at, 4u));
}
`;

/** w = scale of the row * q, q from -7 to 7, eight to a word, the first lowest; then the rows' scales, in f32. */
const toy4 = defineFormat({
  name: 'toy4',
  block: 32,
  unit: 32,
  planes: (rows, cols) => [
    { name: 'quants', offsetBytes: 0, sizeBytes: (rows * cols) / 2 },
    { name: 'scales', offsetBytes: (rows * cols) / 2, sizeBytes: 4 * rows },
  ],
  wgsl: {
    unpack: `${NIBBLE}
const UNIT = 32u;
const UNIT_VEC4 = 8u;
const SCALED = true;
fn unpack_unit(words: vec4<u32>, scale: f32) -> array<vec4<f32>, UNIT_VEC4> {
  var values: array<vec4<f32>, UNIT_VEC4>;
  for (var i = 0u; i < 32u; i++) {
    values[i / 4u][i % 4u] = scale * int4(words[i / 8u], i % 8u);
  }
  return values;
}
fn unit_scale_index(row: u32, unit: u32, cols: u32) -> u32 {
  return 2u * row; // in steps of 16 bits
}`,
    scale: 'fn scale_value(word: u32) -> f32 { return bitcast<f32>(word); }',
    dot: `
struct UnitInputs { at: array<vec4<f32>, 8> }
fn unit_inputs(at: u32) -> UnitInputs {
  var inputs: UnitInputs;
  for (var i = 0u; i < 8u; i++) {
    inputs.at[i] = input4(at + i);
  }
  return inputs;
}
fn unit_dot(words: vec4<u32>, inputs: UnitInputs) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < 32u; i++) {
    sum += int4(words[i / 8u], i % 8u) * inputs.at[i / 4u][i % 4u];
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
fn step_dot(at: u32, in: XStep) -> XValue {
  let words = load_w(at);
  var sum = XValue();
  for (var i = 0u; i < 32u; i++) {
    sum += in.quads[i / 4u][i % 4u] * int4(words[i / 8u], i % 8u);
  }
  return sum;
}`,
  },
  decode(bytes, rows, cols) {
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Float32Array.from({ length: rows * cols }, (_, i) => {
      const quant = (words.getUint8(i >> 1) << (i % 2 === 0 ? 28 : 24)) >> 28;
      return words.getFloat32((rows * cols) / 2 + 4 * Math.floor(i / cols), true) * quant;
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
registerFormat(toy4);

const gpu = await testGpu();
const hardware = await Gpu.open({ adapterClass: 'hardware', features: ['subgroups'] });
afterAll(() => hardware.dispose());

test.each([...runnable(gpu, { ...linear, variants: inFormat(linear, 'toy4') })])(
  'linear, $rows rows, $lanes lanes, subgroups $subgroups, bias $bias',
  (variant) => checkLinear(linear, variant, { rows: variant.rows + 1, cols: 96, outs: 37 }),
);

test.each([...runnable(gpu, { ...linearTiled, variants: inFormat(linearTiled, 'toy4') })])(
  'tiled linear, $rows rows, $outs outputs, bias $bias',
  (variant) => checkLinear(linearTiled, variant, { rows: variant.rows + 1, cols: 64, outs: 70 }),
);

/** One layer of random records on the GPU, and the same on the CPU. */
async function openExperts(
  device: Gpu,
  units: number,
  shapes: Readonly<Record<string, readonly [rows: number, cols: number]>>,
) {
  const layout = recordLayout('toy4', shapes);
  const store = await ExpertStore.open(device, evenRecords(1, units, layout));
  const records = Array.from({ length: units }, (_, unit) => {
    const encoded = Object.entries(shapes).map(([name, [rows, cols]], part) => {
      const values = new Uint8Array(randomNormal(rows * cols, 10 * unit + part, 0.3).buffer);
      return [name, encodeMatrix('F32', values, 'toy4', rows, cols)] as const;
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

describe.each([
  ['software', gpu],
  ['hardware', hardware],
])('as %s', (_as, device) => {
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
      format: 'toy4',
      steps: [plainStep(9, 0)],
    }));

  test('experts', async () => {
    const [experts, topK, hidden, width] = [9, 3, 64, 32];
    const across = [width, hidden] as const;
    const open = await openExperts(device, experts, { gate: across, up: across, down: [hidden, width] });
    await expectOp(device, {
      make: expertsNode,
      io: (builder) => ({
        x: builder.tensor('x', { role: 'input', perToken: hidden }),
        ids: builder.tensor('ids', { type: 'u32', role: 'input', perToken: topK }),
        weights: builder.tensor('weights', { type: 'f32', role: 'input', perToken: topK }),
        y: builder.tensor('y', { type: 'f32', role: 'output', perToken: hidden }),
        ...{ layer: 0, experts, topK, hidden, width },
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
    const open = await openExperts(device, pages, { in: vectors, out: vectors });
    await expectOp(device, {
      make: atomicExpertsNode,
      io: (builder) => ({
        x: builder.tensor('x', { role: 'input', perToken: hidden }),
        ids: builder.tensor('ids', { type: 'u32', role: 'input', perToken: topK }),
        weights: builder.tensor('weights', { type: 'f32', role: 'input', perToken: topK }),
        y: builder.tensor('y', { role: 'output', perToken: hidden }),
        ...{ layer: 0, experts: pages * pageExperts, topK, hidden, schedule },
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

test('a model that is quantised to it says the same on GPU and CPU, and what the whole numbers nearly say', async () => {
  const folder = await repositoryFolder('fixtures/models/granitemoe');
  const golden = await readGolden<FixtureGolden>(folder);
  const logits: Float32Array[] = [];
  for (const device of ['gpu', 'cpu'] as const) {
    const engine = await openEngine({ device });
    await engine.load(folder, { quantize: 'toy4' });
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
});
