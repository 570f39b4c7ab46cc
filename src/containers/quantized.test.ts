/** Quantised safetensors: weights have exactly the values of their tensors, and files that do not fit their layout are refused. */
import { describe, expect, test } from 'vitest';
import { memoryFolder } from '../io/memory.ts';
import { loadFormats } from '../weights/formats/index.ts';
import { openCheckpoint } from './index.ts';
import { describeMatrix } from './matrices.ts';
import {
  E4M3,
  encodeFp8,
  encodeMxfp4,
  written,
  type Encode,
  type Encoded,
  type WrittenTensor,
} from './quantized.testing.ts';
import { safetensorsPieces } from './safetensors-writer.ts';
import { seededRandom } from './seeded-random.testing.ts';

type Tensors = Readonly<Record<string, WrittenTensor>>;

async function fileOf(tensors: Tensors): Promise<Uint8Array<ArrayBuffer>> {
  const list = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => ({
    name,
    dtype,
    shape,
    async *pieces() {
      yield bytes;
    },
  }));
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of safetensorsPieces(list)) pieces.push(piece);
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

async function open(quantization_config: unknown, tensors: Tensors, files: Record<string, string> = {}) {
  const config = JSON.stringify({ model_type: 'any', quantization_config });
  const weights = { 'model.safetensors': await fileOf(tensors) };
  return openCheckpoint(memoryFolder({ 'config.json': config, ...weights, ...files }, 'mine'));
}

const random = seededRandom(9);
const values = (count: number) => Float32Array.from({ length: count }, () => random() * 2 - 1);

describe('mxfp4', () => {
  const config = { quant_method: 'mxfp4' };
  const [experts, rows, cols] = [3, 6, 64];
  const all = Array.from({ length: experts }, () => encodeMxfp4(values(rows * cols), rows, cols));
  const at = 'model.layers.0.mlp.experts.';
  const stacked = (part: string): WrittenTensor => {
    const parts = all.flatMap(({ parts: { [part]: found } }) => found ?? []);
    const bytes = Uint8Array.from(parts.flatMap((each) => [...each.bytes]));
    return written('U8', [experts, ...(parts[0]?.shape ?? [])], bytes);
  };
  const tensors = (): Record<string, WrittenTensor> => ({
    [`${at}gate_up_proj_blocks`]: stacked('blocks'),
    [`${at}gate_up_proj_scales`]: stacked('scales'),
    [`${at}down_proj_blocks`]: stacked('blocks'),
    [`${at}down_proj_scales`]: stacked('scales'),
    [`${at}gate_up_proj_bias`]: written('F32', [experts, rows], new Float32Array(experts * rows)),
  });

  test('each matrix of each expert is a weight; rows of gate and up alternate', async () => {
    const checkpoint = await open(config, tensors());
    await loadFormats(['mxfp4']);
    const matrices = ['gate_proj', 'up_proj', 'down_proj'];
    const names = [0, 1, 2].flatMap((expert) => matrices.map((matrix) => `${at}${expert}.${matrix}.weight`));
    expect([...checkpoint.names()].sort()).toEqual([...names, `${at}gate_up_proj_bias`].sort());
    for (const [expert, encoded] of all.entries()) {
      const row = (index: number) => [...encoded.values.subarray(index * cols, (index + 1) * cols)];
      const read = async (matrix: string, options = {}) => [
        ...(await checkpoint.readF32(`${at}${expert}.${matrix}.weight`, options)),
      ];
      expect(await read('gate_proj')).toEqual([0, 2, 4].flatMap(row));
      expect(await read('up_proj')).toEqual([1, 3, 5].flatMap(row));
      expect(await read('down_proj')).toEqual([...encoded.values]);
      expect(
        (await checkpoint.read(`${at}${expert}.up_proj.weight`, { rowStart: 1, rowCount: 1 })).shape,
      ).toEqual([1, cols]);
    }
    expect(describeMatrix(checkpoint, { tensor: names[0] ?? '' }, cols)).toEqual({ dtype: 'MXFP4', rows: 3 });
  });

  test.each<[string, (tensors: Record<string, WrittenTensor>) => void, string, RegExp]>([
    [
      'without scales',
      (t) => delete t[`${at}gate_up_proj_scales`],
      'bad-file',
      /"model\.layers\.0\.mlp\.experts\.gate_up_proj_scales" is missing/,
    ],
    [
      'with scales of another shape',
      (t) => (t[`${at}down_proj_scales`] = written('U8', [3, 6, 1], new Uint8Array(18))),
      'bad-file',
      /"\S*down_proj_scales" is U8 \[3, 6, 1\]; wanted \[3, 6, 2\]/,
    ],
    [
      'with blocks of another size',
      (t) => (t[`${at}down_proj_blocks`] = written('U8', [3, 6, 2, 8], new Uint8Array(288))),
      'bad-file',
      /"\S*down_proj_blocks" is U8 \[3, 6, 2, 8\]; wanted \[any, any, any, 16\]/,
    ],
    [
      'with scales of floats',
      (t) => (t[`${at}down_proj_scales`] = written('F32', [3, 6, 2], new Float32Array(36))),
      'unsupported-model',
      /"\S*down_proj_scales" is F32 \[3, 6, 2\]; wanted U8/,
    ],
    [
      'with an odd number of rows of gate and up',
      (t) => {
        t[`${at}gate_up_proj_blocks`] = written('U8', [3, 5, 2, 16], new Uint8Array(480));
        t[`${at}gate_up_proj_scales`] = written('U8', [3, 5, 2], new Uint8Array(30));
      },
      'bad-file',
      /"\S*gate_up_proj_blocks" is U8 \[3, 5, 2, 16\]; wanted a multiple of 2 rows/,
    ],
  ])('%s it is refused', async (_, edit, code, message) => {
    const edited = tensors();
    edit(edited);
    await expect(open(config, edited)).rejects.toMatchObject({
      name: 'AtomoeError',
      code,
      message: expect.stringMatching(message),
    });
  });

  test('an exponent that is no number is found at its weight, and names the tensor', async () => {
    const edited = tensors();
    edited[`${at}down_proj_scales`]!.bytes[rows * 2 + 3] = 255; // expert 1, row 1, second group
    const checkpoint = await open(config, edited);
    await expect(checkpoint.read(`${at}1.down_proj.weight`, { rowStart: 1 })).rejects.toMatchObject({
      code: 'non-finite',
      message: expect.stringMatching(
        /"\S*1\.down_proj\.weight" MXFP4 \[6, 64\] holds a NaN .* at element 96,/,
      ),
    });
  });

  test('tensors in a shard that is missing are missed by their file', async () => {
    const weight_map = {
      [`${at}gate_up_proj_blocks`]: '2.safetensors',
      [`${at}gate_up_proj_bias`]: '1.safetensors',
    };
    const bias = { [`${at}gate_up_proj_bias`]: tensors()[`${at}gate_up_proj_bias`]! };
    const files = {
      'config.json': JSON.stringify({ quantization_config: config }),
      '1.safetensors': await fileOf(bias),
      'model.safetensors.index.json': JSON.stringify({ weight_map }),
    };
    const checkpoint = await openCheckpoint(memoryFolder(files, 'mine'));
    expect(checkpoint.lost.get(`${at}0.gate_proj.weight`)).toEqual({
      file: '2.safetensors',
      isFileMissing: true,
    });
  });
});

/** A matrix in a layout, whole and by rows. */
async function expectExact(
  config: object,
  encode: Encode,
  [rows, cols]: readonly [number, number],
  dtype: string,
) {
  const encoded = encode(values(rows * cols), rows, cols);
  const checkpoint = await open(config, named(encoded));
  expect([...checkpoint.names()]).toEqual(['m.weight']);
  expect(describeMatrix(checkpoint, { tensor: 'm.weight' }, cols)).toEqual({ dtype, rows });
  await loadFormats([dtype.toLowerCase()]);
  const isSame = (read: Float32Array, first: number) =>
    read.every((value, i) => value === encoded.values[first * cols + i]);
  const whole = await checkpoint.readF32('m.weight');
  expect(whole.length).toBe(rows * cols);
  expect(isSame(whole, 0)).toBe(true);
  for (const [rowStart, rowCount] of [
    [0, 1],
    [1, rows - 1],
    [rows - 3, 2],
  ] as const) {
    const read = await checkpoint.readF32('m.weight', { rowStart, rowCount });
    expect(read.length).toBe(rowCount * cols);
    expect(isSame(read, rowStart)).toBe(true);
  }
}

/** The tensors of a module `m`. */
const named = ({ parts }: Encoded): Record<string, WrittenTensor> =>
  Object.fromEntries(Object.entries(parts).map(([part, each]) => [`m.${part}`, each]));

describe('fp8', () => {
  const config = { quant_method: 'fp8', weight_block_size: [128, 128] };

  test.each<[string, object, Encode, [number, number]]>([
    ['blocks of 128 x 128', config, encodeFp8(), [150, 288]],
    ['one short block', { ...config, fmt: 'e4m3', activation_scheme: 'dynamic' }, encodeFp8(), [7, 32]],
    ['blocks of 64 x 256', { ...config, weight_block_size: [64, 256] }, encodeFp8(64, 256), [130, 544]],
    ['a scale for each row', { quant_method: 'fp8' }, encodeFp8(1, 96), [9, 96]],
    ['one scale', { quant_method: 'fp8' }, encodeFp8(9, 96), [9, 96]],
  ])('%s: every value', async (_, settings, encode, shape) => {
    await expectExact(settings, encode, shape, 'F8_G128');
  });

  test('scales of 16 bits, and those of activations beside them', async () => {
    const { parts } = encodeFp8()(values(64), 2, 32);
    const scales = written('BF16', [1, 1], Uint16Array.of(0x3b81)); // 1.0078125 * 2^-8
    const edited = named({
      parts: { ...parts, weight_scale_inv: scales, input_scale: written('F32', [], new Float32Array(1)) },
      values: values(1),
    });
    const checkpoint = await open(config, edited);
    expect([...checkpoint.names()]).toEqual(['m.weight']);
    await loadFormats(['f8_g128']);
    const read = await checkpoint.readF32('m.weight');
    expect([...read]).toEqual([...parts['weight']!.bytes].map((code) => E4M3[code]! * (1.0078125 / 256)));
  });

  test.each<[string, object, (t: Record<string, WrittenTensor>) => void, string, RegExp]>([
    [
      'without scales',
      config,
      (t) => delete t['m.weight_scale_inv'],
      'bad-file',
      /tensor "m\.weight_scale_inv" is missing/,
    ],
    [
      'with scales of another shape',
      config,
      (t) => (t['m.weight_scale_inv'] = written('F32', [2, 1], new Float32Array(2))),
      'bad-file',
      /"m\.weight_scale_inv" is F32 \[2, 1\]; wanted \[1, 1\]/,
    ],
    [
      'with scales of integers',
      config,
      (t) => (t['m.weight_scale_inv'] = written('I32', [1, 1], new Int32Array(1))),
      'unsupported-model',
      /"m\.weight_scale_inv" is I32 \[1, 1\]; wanted F32, F16, BF16/,
    ],
    [
      'in another float',
      { ...config, fmt: 'e5m2' },
      () => {},
      'unsupported-model',
      /mine config\.json quantization_config: fmt is "e5m2"; wanted e4m3/,
    ],
    [
      'in blocks of 64 columns',
      { ...config, weight_block_size: [128, 64] },
      () => {},
      'unsupported-model',
      /weight_block_size is \[128,64\]; wanted \[rows, columns\], columns a multiple of 128/,
    ],
    [
      'in blocks that are no pair',
      { ...config, weight_block_size: 128 },
      () => {},
      'unsupported-model',
      /weight_block_size is 128; wanted \[rows, columns\]/,
    ],
  ])('%s it is refused', async (_, settings, edit, code, message) => {
    const edited = named(encodeFp8()(values(64), 2, 32));
    edit(edited);
    await expect(open(settings, edited)).rejects.toMatchObject({
      name: 'AtomoeError',
      code,
      message: expect.stringMatching(message),
    });
  });

  test('a code that is no number is found, and rows that are no whole blocks are refused', async () => {
    const edited = named(encodeFp8()(values(64), 2, 32));
    edited['m.weight']!.bytes[33] = 0xff;
    const checkpoint = await open(config, edited);
    await expect(checkpoint.read('m.weight')).rejects.toMatchObject({
      code: 'non-finite',
      message: expect.stringMatching(/"m\.weight" F8_E4M3 \[2, 32\] holds a NaN .* at element 33,/),
    });
    const odd = await open(config, named(encodeFp8()(values(48), 2, 24)));
    expect(() => describeMatrix(odd, { tensor: 'm.weight' }, 24)).toThrow(
      /"m\.weight" is F8_G128, whose blocks are not read as rows of 24/,
    );
  });
});

describe('other methods are refused by name', () => {
  test.each([
    [{ quantization_config: { quant_method: 'hqq', nbits: 4 } }, 'hqq (quantization_config)'],
    [{ quantization_config: { load_in_4bit: true } }, 'bitsandbytes (quantization_config)'],
    [{ quantization_config: { bits: 3 } }, 'an unnamed kind (quantization_config)'],
    [{ quantization: { group_size: 64, bits: 4 } }, 'MLX (quantization)'],
    [{ quantization_config: 'mxfp4' }, 'mxfp4 (quantization_config)'],
    [{ quantization_config: ['awq'] }, 'an unnamed kind (quantization_config)'],
    [{ quantization_config: { quant_method: 'toString' } }, 'toString (quantization_config)'],
    [{ quantization: true }, 'MLX (quantization)'],
  ])('%o', async (entry, named) => {
    const folder = memoryFolder({ 'config.json': JSON.stringify(entry) }, 'mine');
    await expect(openCheckpoint(folder)).rejects.toMatchObject({
      code: 'unsupported-model',
      message: expect.stringContaining(
        `mine config.json: the weights are quantised by ${named}; Atomoe reads mxfp4`,
      ),
    });
  });

  test.each([null, false, {}, []])('%o means that nothing is quantised', async (value) => {
    const checkpoint = await open(value, { a: written('F32', [2], new Float32Array(2)) });
    expect([...checkpoint.names()]).toEqual(['a']);
  });
});
