import { describe, expect, test, vi } from 'vitest';
import { nodeFolder } from '../io/node-file.ts';
import { openSafetensors } from '../containers/safetensors/open.ts';
import { seededRandom } from '../containers/seeded-random.testing.ts';
import { BLOCK_DTYPES, type BlockDtype } from './dtypes.ts';
import { defineFormat } from './format.ts';
import { GGML_FORMATS, randomGgml, repackOf } from './ggml-blocks.testing.ts';
import { bf16ToF32, f16ToF32, f32ToF16, f8ToF32 } from './half.ts';
import { BUILT_IN_FORMATS, formatNames, registerFormat, STORED, weightFormat } from './formats/index.ts';
import { q4_0 } from './formats/q4_0.ts';
import { q8_0 } from './formats/q8_0.ts';
import {
  chooseFormat,
  commonFormat,
  encodeMatrix,
  formatStoredAs,
  hasLooseRows,
  isStackable,
  matrixLayout,
  placesOfRows,
} from './matrix.ts';

const FORMATS = { ...STORED, q8_0, q4_0 };
const isEncoded = (name: string): name is keyof typeof FORMATS => name in FORMATS;

describe.each(BUILT_IN_FORMATS)('%s', (name) => {
  const format = weightFormat(name);
  const { block, unit } = format;
  const random = seededRandom(3);
  const values = (count: number) => Float32Array.from({ length: count }, () => random() * 2 - 1);
  const matrix = (rows: number, cols: number) =>
    format.encode?.(values(rows * cols), rows, cols) ?? randomGgml(name, rows, cols, random);

  test('is in the table under its name', () => {
    expect(format.name).toBe(name);
  });

  test('matrices of some rows, put where these belong, are the matrix of all', () => {
    const cols = 3 * block;
    const counts = [64, 128, 37];
    const rows = 229;
    const whole = new Uint8Array(matrixLayout(name, rows, cols).sizeBytes);
    expect(hasLooseRows(name)).toBe(format.link === undefined);
    if (!hasLooseRows(name)) return; // its rows are never read on their own
    const slices = counts.map((count, index) => {
      const first = counts.slice(0, index).reduce((sum, each) => sum + each, 0);
      const some = matrix(count, cols);
      for (const { fromBytes, toBytes, sizeBytes } of placesOfRows(name, cols, { first, count, rows }))
        whole.set(some.subarray(fromBytes, fromBytes + sizeBytes), toBytes);
      return format.decode(some, count, cols);
    });
    expect(format.decode(whole, rows, cols)).toEqual(Float32Array.from(slices.flatMap((each) => [...each])));
  });

  test('blocks are whole units, and units whole vec4s', () => {
    expect(block % unit).toBe(0);
    expect(unit % 4).toBe(0);
  });

  test('planes are consecutive, aligned to 16 bytes; the first consists of units', () => {
    for (let rows = 1; rows < 9; rows++) {
      const planes = format.planes(rows, 3 * block);
      let endBytes = 0;
      for (const { offsetBytes, sizeBytes } of planes) {
        expect(offsetBytes).toBe(endBytes);
        if (offsetBytes > 0) expect(offsetBytes % 16).toBe(0);
        endBytes = offsetBytes + sizeBytes;
      }
      expect(planes[0]?.sizeBytes).toBe(((format.unitBytes ?? 16) * rows * 3 * block) / unit);
      expect(matrixLayout(name, rows, 3 * block).sizeBytes).toBe(endBytes);
    }
  });

  test.runIf(isEncoded(name))('decoded values are encoded without loss', () => {
    const [rows, cols] = [5, 2 * block];
    const once = format.decode(matrix(rows, cols), rows, cols);
    const again = format.decode(format.encode!(once, rows, cols), rows, cols);
    expect(again).toEqual(once);
  });

  test.runIf(isEncoded(name))('every row is decoded from its own data', () => {
    const [rows, cols] = [4, 2 * block];
    const all = values(rows * cols);
    const whole = format.decode(format.encode!(all, rows, cols), rows, cols);
    for (let row = 0; row < rows; row++) {
      const own = all.slice(row * cols, (row + 1) * cols);
      expect(format.decode(format.encode!(own, 1, cols), 1, cols)).toEqual(
        whole.slice(row * cols, (row + 1) * cols),
      );
    }
  });

  test('bytes at an even offset are decoded alike', () => {
    const [rows, cols] = [2, block];
    const bytes = matrix(rows, cols);
    const moved = new Uint8Array(bytes.byteLength + 2);
    moved.set(bytes, 2);
    expect(format.decode(moved.subarray(2), rows, cols)).toEqual(format.decode(bytes, rows, cols));
  });

  test('random weights have the size that tests of kernels expect', () => {
    const random = format.decode(matrix(64, block), 64, block);
    const square = random.reduce((sum, value) => sum + value * value, 0) / random.length;
    expect(square).toBeGreaterThan(0.01);
    expect(square).toBeLessThan(1);
  });
});

describe('the table', () => {
  test('a quantised format is available once it is loaded', async () => {
    vi.resetModules();
    const table = await import('./formats/index.ts');
    expect(table.formatNames()).toEqual(BUILT_IN_FORMATS);
    expect(table.quantizedNames()).toEqual(['q8_0', 'q4_0', 'nested4', 'nested3', 'nested2']);
    expect(() => table.weightFormat('q4_0')).toThrow('the weight format "q4_0" is not loaded');
    const own = table.STORED.f32;
    expect(() => table.registerFormat({ ...own, name: 'q4_0' })).toThrow('"q4_0" exists already');
    await table.loadFormats([undefined, 'q4_0', 'f16', 'nothing']);
    expect(table.weightFormat('q4_0').name).toBe('q4_0');
    expect(() => table.weightFormat('q8_0')).toThrow('is not loaded');
    expect(table.formatNames()).toEqual(BUILT_IN_FORMATS);
  });

  const toy = defineFormat({ ...FORMATS.f32, name: 'toy' });

  test('a format from outside is found by its name, and may be registered twice', () => {
    expect(() => weightFormat('toy')).toThrow('no weight format "toy"; wanted f32, f16');
    registerFormat(toy);
    registerFormat(toy);
    expect(weightFormat('toy')).toBe(toy);
    expect(formatNames().at(-1)).toBe('toy');
  });

  test('names are unique', () => {
    expect(() => registerFormat({ ...toy })).toThrow('"toy" exists already');
    expect(() => registerFormat({ ...toy, name: 'q8_0' })).toThrow('"q8_0" exists already');
  });

  test.each([
    undefined,
    null,
    'q5',
    {},
    { ...toy, name: '' },
    { ...toy, planes: undefined },
    { ...toy, wgsl: null },
  ])('invalid formats are rejected: %o', (format) => {
    expect(() => registerFormat(format as never)).toThrow(/^a weight format has to be an object with name/);
  });

  test.each([[{ unit: 5, block: 5 }], [{ unit: 8, block: 4 }], [{ unit: 8, block: 12 }]])(
    '%o is refused',
    (sizes) => {
      expect(() => registerFormat({ ...toy, ...sizes, name: 'bad' })).toThrow(
        'wanted units of 4, 8, 16 or 32',
      );
    },
  );
});

describe('choosing', () => {
  test.each([
    ['F16', 64, undefined, 'f16'],
    ['BF16', 64, 'q4_0', 'q4_0'],
    ['BF16', 40, 'q4_0', 'bf16'],
    ['F16', 36, 'q8_0', 'f32'],
    ['F32', 3, undefined, 'f32'],
  ] as const)('%s, rows of %i, quantize %s: %s', (dtype, cols, quantize, wanted) => {
    expect(chooseFormat(dtype, cols, quantize)).toBe(wanted);
  });

  test('the common format of different formats is f32', () => {
    expect(commonFormat(['bf16', 'bf16'])).toBe('bf16');
    expect(commonFormat(['bf16', 'f16'])).toBe('f32');
    expect(commonFormat([])).toBe('f32');
  });

  test('rows of formats without scales can be stacked', () => {
    expect(BUILT_IN_FORMATS.filter(isStackable)).toEqual(['f32', 'f16', 'bf16']);
  });

  test('bytes in the format are not converted', () => {
    const bytes = new Uint8Array(32);
    expect(encodeMatrix('F16', bytes, 'f16', 2, 8)).toBe(bytes);
    expect(encodeMatrix('BF16', bytes, 'f16', 2, 8)).not.toBe(bytes);
  });
});

/** Blocks of a format and their values by gguf-py: of formats whose blocks are unpacked, in files of their own. */
async function ggmlFixture(name: string) {
  const folder = await nodeFolder('fixtures/blocks');
  const kind = isGrid(name) ? 'grids' : isTernary(name) ? 'ternary' : name === 'nvfp4' ? 'nvfp4' : 'blocks';
  return openSafetensors((await folder.open(`ggml-${kind}.safetensors`))!);
}

const isTernary = (name: string) => name.startsWith('tq');

const isGrid = (name: string) => /^iq[123]_/.test(name);

describe('layout', () => {
  test.each([
    ['q8_0', 3, 64, { scalesOffsetBytes: 192, sizeBytes: 204 }],
    ['q4_0', 3, 32, { scalesOffsetBytes: 48, sizeBytes: 56 }], // 3 scales take 2 words
    ['q4_0', 1, 32, { scalesOffsetBytes: 16, sizeBytes: 20 }],
    ['f32', 3, 5, { scalesOffsetBytes: 0, sizeBytes: 60 }],
    ['bf16', 1, 3, { scalesOffsetBytes: 0, sizeBytes: 8 }],
  ] as const)('%s [%i, %i]', (format, rows, cols, wanted) => {
    expect(matrixLayout(format, rows, cols)).toEqual(wanted);
  });

  test('rejects columns that do not fill blocks', () => {
    expect(() => matrixLayout('q8_0', 2, 48)).toThrow('48 columns are not a multiple of 32');
  });
});

test.each(GGML_FORMATS)('%s: ggml blocks keep their exact values, whatever the shape', async (name) => {
  const { block, decode, planes } = weightFormat(name);
  const fixture = await ggmlFixture(name);
  const { bytes, shape } = await fixture.read(`${name.toUpperCase()}.blocks`);
  const wanted = await fixture.readF32(`${name.toUpperCase()}.values`, { allowNonFinite: true });
  const blocks = shape[0]!;
  const shifted = new Uint8Array(bytes.byteLength + 1);
  shifted.set(bytes, 1); // no alignment is assumed
  for (const rows of [blocks, 8, 3, 1]) {
    const cols = (blocks / rows) * block;
    for (const source of [bytes, shifted.subarray(1)]) {
      expect(decode(repackOf(name)(source, rows, cols), rows, cols)).toEqual(wanted);
    }
    expect(() => repackOf(name)(bytes.subarray(1), rows, cols)).toThrow(`not ${bytes.byteLength}`);
    const sizeBytes = planes(rows, cols).reduce((sum, plane) => sum + plane.sizeBytes, 0);
    if (isGrid(name)) expect(sizeBytes).toBe((4.375 / 8) * rows * cols);
    else if (isTernary(name)) expect(sizeBytes).toBe((2.125 / 8) * rows * cols);
    else if (name === 'nvfp4') expect(sizeBytes).toBe((5 / 8) * rows * cols);
    else expect(sizeBytes).toBeLessThan(1.02 * bytes.byteLength);
    const memory = new Uint8Array(sizeBytes + 512); // a place in a record
    const place = memory.subarray(256, 256 + sizeBytes);
    expect(repackOf(name)(bytes, rows, cols, place)).toBe(place);
    expect(place).toEqual(repackOf(name)(bytes, rows, cols));
    expect(
      [...memory.subarray(0, 256), ...memory.subarray(256 + sizeBytes)].every((byte) => byte === 0),
    ).toBe(true);
  }
});

describe('blocks of quantised safetensors', () => {
  /** [rows, cols / 32] blocks of bytes with an f32 scale in front. */
  const blocksOf = (scales: readonly number[], byteOf: (i: number) => number) => {
    const bytes = new Uint8Array(36 * scales.length);
    for (const [block, scale] of scales.entries()) {
      new DataView(bytes.buffer).setFloat32(36 * block, scale, true);
      for (let j = 0; j < 32; j += 1) bytes[36 * block + 4 + j] = byteOf(32 * block + j);
    }
    return bytes;
  };

  test('bytes: 128 columns of a row share a scale, and the last of a row may be fewer', () => {
    const scales = [0.1, 0.1, 0.1, 0.1, -3, 1e30, 1e30, 1e30, 1e30, 1e-30]; // two rows of 160
    const byteOf = (i: number) => (i * 89) % 127; // positive, and no NaN of f8
    const source = blocksOf(scales, byteOf);
    const wanted = (value: (byte: number) => number) =>
      Float32Array.from({ length: 320 }, (_, i) => Math.fround(scales[i >> 5]!) * value(byteOf(i)));
    for (const [name, value] of [
      ['i8_g128', (byte: number) => byte],
      ['f8_g128', f8ToF32],
    ] as const) {
      const bytes = repackOf(name)(source, 2, 160);
      expect(bytes.byteLength).toBe(320 + 4 * 4);
      expect(weightFormat(name).decode(bytes, 2, 160)).toEqual(wanted(value));
    }
    const signed = repackOf('i8_g128')(
      blocksOf([2], () => 0x80),
      1,
      32,
    );
    expect(weightFormat('i8_g128').decode(signed, 1, 32)).toEqual(new Float32Array(32).fill(-256));
  });

  test('f4: each value is that of the scale as tools round it, by a factor or a divisor', () => {
    const levels = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6];
    const scales = [0x01, 0x07, 0x38, 0x7e]; // the least, the largest subnormal, 1, the largest
    for (const factor of [1, 1 / 3, 0.0078431377, -2688.3, -1e-3]) {
      const source = new Uint8Array(40);
      const own = Math.fround(factor);
      new DataView(source.buffer).setFloat32(0, own, true);
      source.set(scales, 4);
      for (let j = 0; j < 32; j += 1) source[8 + j] = ((j * 5) % 16) | (((j * 11 + 3) % 16) << 4);
      const codeOf = (i: number) => {
        const byte = source[8 + 8 * (i >> 4) + (i & 7)]!;
        return (i & 8) === 0 ? byte & 15 : byte >> 4;
      };
      const scaleOf = (i: number) => {
        const scale = f8ToF32(scales[i >> 4]!);
        return Math.fround(own < 0 ? scale / -own : scale * own);
      };
      const wanted = Float32Array.from({ length: 64 }, (_, i) => scaleOf(i) * levels[codeOf(i)]!);
      const values = weightFormat('f4_g16').decode(repackOf('f4_g16')(source, 1, 64), 1, 64);
      expect(values.every((value, i) => value === wanted[i])).toBe(true);
    }
  });

  test('u4: scales of f16 and bf16 and whole zeros are exact', () => {
    for (const scale of [f16ToF32(0x0001), f16ToF32(0x7bff), bf16ToF32(0x007f), bf16ToF32(0xbfff)]) {
      for (const zero of [0, 7, 8, 16, 255]) {
        const source = new Uint8Array(20);
        const view = new DataView(source.buffer);
        view.setFloat32(0, scale, true);
        expect(source[0]).toBe(0);
        source[0] = zero;
        for (let j = 0; j < 16; j += 1) source[4 + j] = j | ((15 - j) << 4);
        const wanted = Float32Array.from({ length: 32 }, (_, i) => scale * ((i < 16 ? i : 31 - i) - zero));
        const values = weightFormat('u4_g32').decode(repackOf('u4_g32')(source, 1, 32), 1, 32);
        expect(values.every((value, i) => value === wanted[i])).toBe(true);
      }
    }
  });
});

describe('quantise', () => {
  test('q8_0 by hand: largest 127 gives the scale 1; halves are rounded away from zero', () => {
    const values = new Float32Array(32);
    values.set([127, -127, 0.5, -0.5, 1.5, -1.5, 2.4, -2.6]);
    const packed = q8_0.encode(values, 1, 32);
    expect([...new Int8Array(packed.buffer, 0, 9)]).toEqual([127, -127, 1, -1, 2, -2, 2, -3, 0]);
    expect(new Uint16Array(packed.buffer, 32, 2)[0]).toBe(f32ToF16(1));
  });

  test('q4_0 by hand: the extreme keeps its sign, nibbles j and j + 16 share a byte', () => {
    const values = new Float32Array(32);
    values.set([8, 1, -7]); // scale 8 / -8 = -1
    values.set([2, -1], 16);
    const packed = q4_0.encode(values, 1, 32);
    expect([...packed.slice(0, 4)]).toEqual([0 | (6 << 4), 7 | (9 << 4), 15 | (8 << 4), 8 | (8 << 4)]);
    expect(new Uint16Array(packed.buffer, 16, 2)[0]).toBe(f32ToF16(-1));
    expect([...q4_0.decode(packed, 1, 32).slice(0, 3)]).toEqual([8, 1, -7]);
  });

  test('a row of zeros is decoded as zeros', () => {
    const zeros = new Float32Array(64);
    for (const format of [q8_0, q4_0]) {
      const values = format.decode(format.encode(zeros, 2, 32), 2, 32);
      expect(values.every((value) => value === 0)).toBe(true);
    }
  });

  test('representable values are encoded exactly', () => {
    const random = seededRandom(5);
    for (const [format, top] of [
      [q8_0, 127],
      [q4_0, 8],
    ] as const) {
      const values = Float32Array.from({ length: 32 * 40 }, (_, i) => {
        const quant = i % 32 === 7 ? -top : Math.floor(random() * (2 * top - 1)) - (top - 1);
        return quant * 2 ** ((i >> 5) % 8);
      });
      expect(format.decode(format.encode(values, 8, 160), 8, 160)).toEqual(values);
    }
  });

  test.each([
    [q8_0, 0.5 / 127],
    [q4_0, 1 / 8],
  ] as const)('$name: the error stays below its step', (format, step) => {
    const random = seededRandom(11);
    const values = Float32Array.from({ length: 64 * 96 }, () => random() * 2 - 1);
    const back = format.decode(format.encode(values, 64, 96), 64, 96);
    const worst = values.reduce((max, value, i) => Math.max(max, Math.abs(value - back[i]!)), 0);
    expect(worst).toBeLessThan(step * 1.001 + 127 * 2 ** -17); // the scale itself is an f16
    expect(worst).toBeGreaterThan(step / 4);
  });

  test('a scale outside the range of f16 is rejected, and the message names its row', () => {
    const values = new Float32Array(64).fill(1);
    values[40] = 1e8;
    expect(() => q8_0.encode(values, 2, 32)).toThrow(/row 1 .*q8_0.*65504/);
  });
});

test('every type of blocks that files may have has a format that reads it', () => {
  for (const dtype of Object.keys(BLOCK_DTYPES) as BlockDtype[])
    expect(weightFormat(formatStoredAs(dtype)).repack, dtype).toBeTypeOf('function');
});
