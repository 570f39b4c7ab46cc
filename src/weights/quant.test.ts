import { describe, expect, test } from 'vitest';
import { nodeFolder } from '../io/node-file.ts';
import { openSafetensors } from '../formats/checkpoint.ts';
import { f32ToF16 } from './dtypes.ts';
import {
  ggmlBytes,
  packGgmlBlocks,
  packQ4_0,
  packQ8_0,
  packQuant,
  QUANT_BLOCK,
  quantLayout,
  unpackQuant,
} from './quant.ts';
import { seededRandom } from '../formats/seeded-random.test-support.ts';

async function ggmlFixture() {
  const folder = await nodeFolder('fixtures/blocks');
  const file = await folder.open('ggml-blocks.safetensors');
  return openSafetensors(file!);
}

describe('layout', () => {
  test.each([
    ['q8_0', 3, 64, { quantBytes: 192, scaleOffsetBytes: 192, sizeBytes: 204 }],
    ['q4_0', 3, 32, { quantBytes: 48, scaleOffsetBytes: 48, sizeBytes: 56 }], // 3 scales take 2 words
    ['q4_0', 1, 32, { quantBytes: 16, scaleOffsetBytes: 16, sizeBytes: 20 }],
  ] as const)('%s [%i, %i]', (format, rows, cols, wanted) => {
    expect(quantLayout(format, rows, cols)).toEqual(wanted);
  });

  test('scales begin at a multiple of 16', () => {
    for (let rows = 1; rows < 9; rows++) {
      expect(quantLayout('q4_0', rows, 96).scaleOffsetBytes % 16).toBe(0);
      expect(quantLayout('q8_0', rows, 96).scaleOffsetBytes % 16).toBe(0);
    }
  });

  test('refuses columns that do not fill blocks', () => {
    expect(() => quantLayout('q8_0', 2, 48)).toThrow('48 columns are no multiple of 32');
  });
});

test.each([
  ['q8_0', 'Q8_0'],
  ['q4_0', 'Q4_0'],
] as const)('%s: ggml blocks keep their exact values, whatever the shape', async (format, name) => {
  const fixture = await ggmlFixture();
  const { bytes, shape } = await fixture.read(`${name}.blocks`);
  const wanted = await fixture.readF32(`${name}.values`, { allowNonFinite: true });
  const blocks = shape[0]!;
  for (const rows of [blocks, 8, 3, 1]) {
    const cols = (blocks / rows) * QUANT_BLOCK;
    expect(bytes.byteLength).toBe(ggmlBytes(format, rows, cols));
    const packed = packGgmlBlocks(format, bytes, rows, cols);
    expect(unpackQuant(format, packed, rows, cols)).toEqual(wanted);
  }
});

describe('quantise', () => {
  test('q8_0 by hand: largest 127 gives the scale 1; halves go away from zero', () => {
    const values = new Float32Array(32);
    values.set([127, -127, 0.5, -0.5, 1.5, -1.5, 2.4, -2.6]);
    const packed = packQ8_0(values, 1, 32);
    expect([...new Int8Array(packed.buffer, 0, 9)]).toEqual([127, -127, 1, -1, 2, -2, 2, -3, 0]);
    expect(new Uint16Array(packed.buffer, 32, 2)[0]).toBe(f32ToF16(1));
  });

  test('q4_0 by hand: the extreme keeps its sign, nibble j goes with j + 16', () => {
    const values = new Float32Array(32);
    values.set([8, 1, -7]); // scale 8 / -8 = -1
    values.set([2, -1], 16);
    const packed = packQ4_0(values, 1, 32);
    expect([...packed.slice(0, 4)]).toEqual([0 | (6 << 4), 7 | (9 << 4), 15 | (8 << 4), 8 | (8 << 4)]);
    expect(new Uint16Array(packed.buffer, 16, 2)[0]).toBe(f32ToF16(-1));
    expect([...unpackQuant('q4_0', packed, 1, 32).slice(0, 3)]).toEqual([8, 1, -7]);
  });

  test('a row of zeros comes back as zeros', () => {
    const zeros = new Float32Array(64);
    for (const format of ['q8_0', 'q4_0'] as const) {
      const values = unpackQuant(format, packQuant(format, zeros, 2, 32), 2, 32);
      expect(values.every((value) => value === 0)).toBe(true);
    }
  });

  test('what blocks can hold exactly, they hold exactly', () => {
    const random = seededRandom(5);
    for (const [format, top] of [
      ['q8_0', 127],
      ['q4_0', 8],
    ] as const) {
      const values = Float32Array.from({ length: 32 * 40 }, (_, i) => {
        const quant = i % 32 === 7 ? -top : Math.floor(random() * (2 * top - 1)) - (top - 1);
        return quant * 2 ** ((i >> 5) % 8);
      });
      expect(unpackQuant(format, packQuant(format, values, 8, 160), 8, 160)).toEqual(values);
    }
  });

  test.each([
    ['q8_0', 0.5 / 127],
    ['q4_0', 1 / 8],
  ] as const)('%s: the error stays below its step', (format, step) => {
    const random = seededRandom(11);
    const values = Float32Array.from({ length: 64 * 96 }, () => random() * 2 - 1);
    const back = unpackQuant(format, packQuant(format, values, 64, 96), 64, 96);
    const worst = values.reduce((max, value, i) => Math.max(max, Math.abs(value - back[i]!)), 0);
    expect(worst).toBeLessThan(step * 1.001 + 127 * 2 ** -17); // the scale itself is an f16
    expect(worst).toBeGreaterThan(step / 4);
  });

  test('a scale that f16 cannot hold is refused with its row', () => {
    const values = new Float32Array(64).fill(1);
    values[40] = 1e8;
    expect(() => packQ8_0(values, 2, 32)).toThrow(/row 1 .*q8_0.*65504/);
  });
});
