/** Nested bit planes: values by their formula, bytes that begin alike, records whose beginning is one of fewer bits. */
import { beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../containers/seeded-random.testing.ts';
import { f16ToF32 } from './half.ts';
import { loadFormats, weightFormat } from './formats/index.ts';
import { beginningOf } from './record-levels.ts';
import { packRecord, recordLayout, unpackRecord } from './record.ts';

const BITS = [2, 3, 4] as const;
const nested = (bits: number) => weightFormat(`nested${bits}`);

beforeAll(() => loadFormats(BITS.map((bits) => `nested${bits}`)));

/** Sums of uniform numbers: about normal, with an outlier in each row. */
function weights(rows: number, cols: number, seed = 7): Float32Array<ArrayBuffer> {
  const next = seededRandom(seed);
  return Float32Array.from({ length: rows * cols }, (_, i) => {
    const value = 0.05 * (next() + next() + next() + next() - 2);
    return i % cols === 5 ? 6 * value : value;
  });
}

function encode(bits: number, values: Float32Array<ArrayBuffer>, rows: number, cols: number) {
  return nested(bits).encode!(values, rows, cols);
}

/** s2 q + offset + s3 b3 + s4 b4, read bit by bit from the planes as the file's head describes them. */
function byFormula(bits: number, bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const planes = nested(bits).planes(rows, cols);
  const groups = Math.ceil(cols / 128);
  const half = (at: number) => f16ToF32(view.getUint16(at, true));
  return Float32Array.from({ length: rows * cols }, (_, i) => {
    const [row, c] = [Math.floor(i / cols), i % cols];
    const [lane, group] = [c % 16, Math.floor(c / 128)];
    const word = view.getUint32(4 * ((row * cols) / 16 + Math.floor(c / 16)), true);
    const code = (word >>> (8 * (lane % 4) + 2 * Math.floor(lane / 4))) & 3;
    const side = planes[1]!.offsetBytes + 4 * (row * (groups + 2) + 2 + group);
    let value = half(side) * code + half(side + 2);
    for (const { offsetBytes } of planes.slice(2)) {
      const own = offsetBytes + 4 * row * (cols / 32 + Math.ceil(groups / 2));
      const signs = view.getUint32(own + 4 * Math.floor(c / 32), true);
      const isSet = (signs >>> (8 * (c % 4) + Math.floor((c % 32) / 4))) & 1;
      value += (isSet === 1 ? 1 : -1) * half(own + cols / 8 + 2 * group);
    }
    return value;
  });
}

describe.each(BITS)('%i bits', (bits) => {
  test.each([
    [1, 64],
    [3, 128],
    [5, 192],
    [4, 448],
  ])('%i rows of %i columns have the values of the formula', (rows, cols) => {
    const bytes = encode(bits, weights(rows, cols), rows, cols);
    expect(nested(bits).decode(bytes, rows, cols)).toEqual(byFormula(bits, bytes, rows, cols));
  });

  test('its bytes begin with those of fewer bits', () => {
    const [rows, cols] = [6, 320];
    const values = weights(rows, cols);
    const whole = encode(bits, values, rows, cols);
    for (let fewer = 2; fewer < bits; fewer += 1) {
      const planes = nested(fewer).planes(rows, cols);
      const sizeBytes = planes.reduce((sum, plane) => sum + plane.sizeBytes, 0);
      const part = whole.slice(0, sizeBytes);
      const own = encode(fewer, values, rows, cols);
      // All but where planes are that it does not have.
      nested(bits).link!(
        part,
        rows,
        cols,
        planes.slice(2).map(({ offsetBytes }) => offsetBytes),
      );
      expect(part).toEqual(own);
      expect(nested(fewer).decode(whole, rows, cols)).toEqual(nested(fewer).decode(own, rows, cols));
    }
  });

  test('takes its bits, and 0.25 or 0.125 a plane for scales', () => {
    const [rows, cols] = [64, 2048];
    const { length } = encode(bits, weights(rows, cols), rows, cols);
    const links = 8 * rows;
    expect(8 * (length - links)).toBe((2.25 + 1.125 * (bits - 2)) * rows * cols);
  });

  test('zeros stay zeros, and one value for all is kept to the precision of f16', () => {
    const zeros = nested(bits).decode(encode(bits, new Float32Array(128), 1, 128), 1, 128);
    expect(zeros.every((value) => value === 0)).toBe(true);
    const same = nested(bits).decode(encode(bits, new Float32Array(128).fill(0.3), 1, 128), 1, 128);
    for (const value of same) expect(Math.abs(value - 0.3)).toBeLessThan(2e-4);
  });
});

test('each plane lowers the error, to less than an eighth of the weights with four bits', () => {
  const [rows, cols] = [16, 512];
  const values = weights(rows, cols);
  const size = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  const errors = BITS.map((bits) => {
    const back = nested(bits).decode(encode(bits, values, rows, cols), rows, cols);
    return Math.sqrt(values.reduce((sum, value, i) => sum + (value - back[i]!) ** 2, 0)) / size;
  });
  expect(errors[1]).toBeLessThan(0.65 * errors[0]!);
  expect(errors[2]).toBeLessThan(0.65 * errors[1]!);
  expect(errors[2]).toBeLessThan(1 / 8);
});

test('values beyond f16 are refused, and the message names the row', () => {
  const values = new Float32Array(128).fill(1);
  values[70] = 1e6;
  expect(() => encode(4, values, 2, 64)).toThrow(/row 1 cannot be stored as nested4/);
});

describe('records', () => {
  const shapes = { gate: [24, 128], up: [24, 128], down: [128, 64] } as const;
  const matrices = Object.entries(shapes).map(
    ([name, [rows, cols]], i) => [name, weights(rows, cols, i + 1), rows, cols] as const,
  );
  const layout = recordLayout('nested4', shapes);
  const record = packRecord(
    layout,
    Object.fromEntries(matrices.map(([name, values, rows, cols]) => [name, encode(4, values, rows, cols)])),
  );

  test('have the base of all parts first, then plane by plane; what is read is the same', () => {
    const { levels, parts, sizeBytes } = layout;
    expect(levels).toHaveLength(3);
    expect(levels!.at(-1)).toBe(sizeBytes);
    const bases = Object.values(parts).map(({ offsetBytes }) => offsetBytes);
    expect(Math.max(...bases)).toBeLessThan(levels![0]!);
    for (const { planes } of Object.values(parts)) {
      expect(planes![0]).toBeGreaterThanOrEqual(levels![0]!);
      expect(planes![0]).toBeLessThan(levels![1]!);
      expect(planes![1]).toBeGreaterThanOrEqual(levels![1]!);
      for (const at of planes!) expect(at % 256).toBe(0);
    }
    const back = unpackRecord(layout, record);
    for (const [name, values, rows, cols] of matrices) {
      expect(back[name]).toEqual(nested(4).decode(encode(4, values, rows, cols), rows, cols));
    }
  });

  test.each([2, 3])('the beginning of one is a record of %i bits', (bits) => {
    const level = bits - 2;
    const fewer = beginningOf(layout, level, weightFormat)!;
    expect(fewer.sizeBytes).toBe(layout.levels![level]);
    expect(Object.values(fewer.parts).map(({ format }) => format)).toEqual(Array(3).fill(`nested${bits}`));
    const back = unpackRecord(fewer, record.slice(0, fewer.sizeBytes));
    for (const [name, values, rows, cols] of matrices) {
      expect(back[name]).toEqual(nested(bits).decode(encode(bits, values, rows, cols), rows, cols));
    }
  });

  test('an expert of fewer bits in a record of more has no planes: its rows say so', () => {
    const short = record.slice();
    short.fill(0xff, layout.levels![0]); // what is there is not read
    for (const { rows, cols, offsetBytes } of Object.values(layout.parts)) {
      nested(4).link!(short.subarray(offsetBytes), rows, cols, []);
    }
    const back = unpackRecord(layout, short);
    for (const [name, values, rows, cols] of matrices) {
      expect(back[name]).toEqual(nested(2).decode(encode(2, values, rows, cols), rows, cols));
    }
  });

  test('parts in other formats belong to the base', () => {
    const mixed = recordLayout({ gate: 'nested3', bias: 'f32' }, { gate: [8, 64], bias: [1, 8] });
    expect(mixed.parts['bias']!.offsetBytes).toBeLessThan(mixed.levels![0]!);
    expect(beginningOf(mixed, 0, weightFormat)!.parts['bias']!.format).toBe('f32');
    expect(beginningOf(mixed, 2, weightFormat)).toBeUndefined();
    expect(recordLayout('nested2', { gate: [8, 64] }).levels).toBeUndefined();
  });
});
