/** Quantised safetensors: weights have exactly the values of their tensors, and files that do not fit their layout are refused. */
import { describe, expect, test } from 'vitest';
import { coalescedFolder } from '../io/coalesce.ts';
import { memoryFolder } from '../io/memory.ts';
import type { FolderSource } from '../io/source.ts';
import { loadFormats } from '../weights/formats/index.ts';
import { f16ToF32, f32ToF16 } from '../weights/half.ts';
import { openCheckpoint } from './index.ts';
import { describeMatrix } from './matrices.ts';
import {
  E4M3,
  encodeAwq,
  encodeFp8,
  encodeGptq,
  encodeInt8,
  encodeMxfp4,
  encodeNvfp4,
  encodePacked,
  encodePackedMxfp4,
  encodeSigned8,
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

/** A folder that writes down how many bytes each read has. */
function recorded(folder: FolderSource): { readonly folder: FolderSource; readonly reads: number[] } {
  const reads: number[] = [];
  const open: FolderSource['open'] = async (name, options) => {
    const file = await folder.open(name, options);
    return (
      file && {
        ...file,
        read(offsetBytes, sizeBytes, how) {
          reads.push(sizeBytes);
          return file.read(offsetBytes, sizeBytes, how);
        },
      }
    );
  };
  return { folder: { ...folder, open }, reads };
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

  test('an expert is read as its own bytes, those of gate and up once', async () => {
    const files = {
      'config.json': JSON.stringify({ quantization_config: config }),
      'model.safetensors': await fileOf(tensors()),
    };
    const { folder, reads } = recorded(memoryFolder(files, 'mine'));
    const checkpoint = await openCheckpoint(coalescedFolder(folder));
    reads.length = 0;
    await Promise.all(['gate', 'up'].map((matrix) => checkpoint.read(`${at}1.${matrix}_proj.weight`)));
    const [blocks, scales] = [(rows * cols) / 2, (rows * cols) / 32];
    expect(reads).toEqual([blocks, scales]);
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
    ['one scale of another name', { quant_method: 'fp8' }, encodeFp8(9, 96, 'weight_scale'), [9, 96]],
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

/** What is refused: edits of a small matrix and of its settings. */
type Refusal = [
  what: string,
  settings: object,
  edit: (tensors: Record<string, WrittenTensor>) => void,
  code: string,
  message: RegExp,
];

async function expectRefused(encoded: Encoded, [, settings, edit, code, message]: Refusal) {
  const edited = named(encoded);
  edit(edited);
  await expect(open(settings, edited)).rejects.toMatchObject({
    name: 'AtomoeError',
    code,
    message: expect.stringMatching(message),
  });
}

describe('gptq', () => {
  const config = { quant_method: 'gptq', bits: 4, group_size: 64, desc_act: false, sym: false };
  const whole = { ...config, group_size: -1 };
  const ORDERED = { ...config, desc_act: true };
  const BYTES = { ...config, bits: 8 };

  test.each<[string, object, Encode, string]>([
    ['zeros in groups of 64', config, encodeGptq({ group: 64, zeros: true }), 'U4_G32'],
    [
      'zeros as they are',
      { ...config, checkpoint_format: 'gptq_v2' },
      encodeGptq({ group: 64, zeros: true }, 0),
      'U4_G32',
    ],
    ['one group', whole, encodeGptq({ zeros: true }), 'U4_G32'],
    ['symmetric, f16', { ...config, sym: true }, encodeGptq({ group: 64 }), 'Q4_0'],
    ['with a bias', { ...config, sym: true }, encodeGptq({ group: 64, bias: true }), 'Q4_0'],
    ['symmetric, bf16', { ...config, sym: true }, encodeGptq({ group: 64, scales: 'BF16' }), 'U4_G32'],
    ['ordered', ORDERED, encodeGptq({ group: 64, zeros: true, isOrdered: true }), 'F16'],
    [
      'ordered, symmetric, bf16',
      { ...ORDERED, sym: true },
      encodeGptq({ group: 64, scales: 'BF16', isOrdered: true }),
      'BF16',
    ],
    [
      'ordered, one group',
      { ...ORDERED, group_size: -1 },
      encodeGptq({ zeros: true, isOrdered: true }),
      'U4_G32',
    ],
    [
      'ordered, static groups',
      { ...ORDERED, static_groups: true },
      encodeGptq({ group: 64, zeros: true }),
      'U4_G32',
    ],
    ['8 bits, symmetric, f16', { ...BYTES, sym: true }, encodeGptq({ bits: 8, group: 64 }), 'Q8_0'],
    [
      '8 bits, symmetric, bf16',
      { ...BYTES, sym: true, group_size: -1 },
      encodeGptq({ bits: 8, scales: 'BF16' }),
      'I8_G128',
    ],
    ['8 bits, zeros', BYTES, encodeGptq({ bits: 8, group: 64, zeros: true }), 'F16'],
    [
      '8 bits, zeros as they are, bf16',
      { ...BYTES, checkpoint_format: 'gptq_v2' },
      encodeGptq({ bits: 8, group: 64, zeros: true, scales: 'BF16' }, 0),
      'BF16',
    ],
    ['8 bits, zeros, one group', { ...BYTES, group_size: -1 }, encodeGptq({ bits: 8, zeros: true }), 'F16'],
    [
      '8 bits, ordered, symmetric',
      { ...BYTES, desc_act: true, sym: true },
      encodeGptq({ bits: 8, group: 64, isOrdered: true }),
      'F16',
    ],
    [
      '8 bits, ordered, zeros',
      { ...BYTES, desc_act: true },
      encodeGptq({ bits: 8, group: 64, zeros: true, isOrdered: true }),
      'F16',
    ],
  ])('%s: every value', async (_, settings, encode, dtype) => {
    await expectExact(settings, encode, [24, 192], dtype);
  });

  test.each<Refusal>([
    [
      'in three bits',
      { ...config, bits: 3 },
      () => {},
      'unsupported-model',
      /quantization_config: bits is 3; wanted 4 or 8; choose another quantisation/,
    ],
    [
      'ordered by something else',
      { ...config, desc_act: 'group' },
      () => {},
      'unsupported-model',
      /desc_act is "group"; wanted false or true/,
    ],
    [
      'with the order of other columns',
      { ...config, desc_act: true },
      (t) => (t['m.g_idx'] = written('I32', [64], new Int32Array(64))),
      'bad-file',
      /"m\.g_idx" is I32 \[64\]; wanted \[128\]/,
    ],
    [
      'for other kernels',
      { ...config, checkpoint_format: 'marlin' },
      () => {},
      'unsupported-model',
      /checkpoint_format is "marlin"; wanted gptq or gptq_v2/,
    ],
    [
      'in groups of 24',
      { ...config, group_size: 24 },
      () => {},
      'unsupported-model',
      /group_size is 24; wanted a multiple of 32/,
    ],
    ['without scales', config, (t) => delete t['m.scales'], 'bad-file', /tensor "m\.scales" is missing/],
    ['without zeros', config, (t) => delete t['m.qzeros'], 'bad-file', /tensor "m\.qzeros" is missing/],
    [
      'with the scales of other groups',
      { ...config, group_size: 32 },
      () => {},
      'bad-file',
      /"m\.scales" is F16 \[2, 8\]; wanted \[4, 8\]/,
    ],
    [
      'with scales in f32',
      config,
      (t) => (t['m.scales'] = written('F32', [2, 8], new Float32Array(16))),
      'unsupported-model',
      /"m\.scales" is F32 \[2, 8\]; wanted F16, BF16/,
    ],
  ])('%s it is refused', async (...refusal) => {
    await expectRefused(encodeGptq({ group: 64, zeros: true })(values(8 * 128), 8, 128), refusal);
  });

  test('columns in another order, and zeros other than sym says, are found when they are read', async () => {
    const encoded = encodeGptq({ group: 64, zeros: true })(values(8 * 128), 8, 128);
    const asymmetric = await open({ ...config, sym: true }, named(encoded));
    await expect(asymmetric.read('m.weight')).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(
        /"m\.qzeros" has the zero point \d+, though config\.json says sym; wanted 8/,
      ),
    });
    const order = new Int32Array(encoded.parts['g_idx']!.bytes.buffer);
    order.reverse();
    const ordered = await open(config, named(encoded));
    await expect(ordered.read('m.weight')).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(
        /"m\.g_idx" orders columns by activations, though config\.json says desc_act false/,
      ),
    });
  });

  test.each([true, false])('bytes are checked as four bits are: sym %s', async (sym) => {
    const encoded = encodeGptq({ bits: 8, group: 64, zeros: true })(values(8 * 128), 8, 128);
    if (!sym) new Int32Array(encoded.parts['g_idx']!.bytes.buffer).reverse();
    const checkpoint = await open({ ...BYTES, sym }, named(encoded));
    await expect(checkpoint.read('m.weight')).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(
        sym ? /has the zero point \d+, .* wanted 128;/ : /orders columns by activations/,
      ),
    });
  });

  test.each([2, -1])('a column in group %i is found when it is read', async (group) => {
    const encoded = encodeGptq({ group: 64, isOrdered: true })(values(8 * 128), 8, 128);
    new Int32Array(encoded.parts['g_idx']!.bytes.buffer)[5] = group;
    const checkpoint = await open(ORDERED, named(encoded));
    await expect(checkpoint.read('m.weight')).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringContaining(`"m.g_idx" puts column 5 into group ${group}; wanted 0 to 1`),
    });
  });

  test('weights that become floats are said to take more memory', async () => {
    const encode = encodeGptq({ group: 64, isOrdered: true });
    const checkpoint = await open(ORDERED, named(encode(values(8 * 128), 8, 128)));
    expect(checkpoint.expanded).toMatch(/so 512 bytes of them take 2048 bytes of memory/);
    const plain = await open(config, named(encodeGptq({ group: 64 })(values(8 * 128), 8, 128)));
    expect(plain.expanded).toBeUndefined();
  });
});

describe('awq', () => {
  const config = { quant_method: 'awq', bits: 4, group_size: 64, zero_point: true, version: 'gemm' };

  test.each<[string, object, Encode]>([
    ['groups of 64', config, encodeAwq({ group: 64 })],
    ['groups of 32, bf16', { ...config, group_size: 32 }, encodeAwq({ group: 32, scales: 'BF16' })],
  ])('%s: every value', async (_, settings, encode) => {
    await expectExact(settings, encode, [24, 192], 'U4_G32');
  });

  test.each<Refusal>([
    ['in eight bits', { ...config, bits: 8 }, () => {}, 'unsupported-model', /bits is 8; wanted 4/],
    [
      'for other kernels',
      { ...config, version: 'gemv' },
      () => {},
      'unsupported-model',
      /version is "gemv"; wanted gemm/,
    ],
    ['without zeros', config, (t) => delete t['m.qzeros'], 'bad-file', /tensor "m\.qzeros" is missing/],
    [
      'with zeros of another shape',
      config,
      (t) => (t['m.qzeros'] = written('I32', [1, 2], new Int32Array(2))),
      'bad-file',
      /"m\.qzeros" is I32 \[1, 2\]; wanted \[2, 1\]/,
    ],
  ])('%s it is refused', async (...refusal) => {
    await expectRefused(encodeAwq({ group: 64 })(values(8 * 128), 8, 128), refusal);
  });
});

describe('compressed-tensors', () => {
  const config = (format: string, weights: object, more: object = {}) => ({
    quant_method: 'compressed-tensors',
    format,
    config_groups: { group_0: { targets: ['Linear'], weights } },
    ignore: ['lm_head'],
    ...more,
  });
  const int4 = {
    num_bits: 4,
    type: 'int',
    strategy: 'group',
    group_size: 64,
    symmetric: true,
    actorder: null,
  };
  const int8 = { num_bits: 8, type: 'int', strategy: 'channel', symmetric: true };
  const float8 = { num_bits: 8, type: 'float', strategy: 'channel', symmetric: true };
  const float4 = { num_bits: 4, type: 'float', strategy: 'tensor_group', group_size: 16, symmetric: true };
  const nvfp4 = (weights: object = {}) => config('nvfp4-pack-quantized', { ...float4, ...weights });
  const mxfp4 = config('mxfp4-pack-quantized', { ...float4, strategy: 'group', group_size: 32 });
  const packed = (weights: object) => config('pack-quantized', weights);
  const floats = (weights: object) => config('float-quantized', weights);
  const channel = { ...int4, strategy: 'channel', group_size: null };
  const blocks = { ...float8, strategy: 'block', block_structure: [128, 128] };

  test.each<[string, object, Encode, string]>([
    ['int4, f16', packed(int4), encodePacked({ group: 64 }), 'Q4_0'],
    ['int4, bf16', packed(int4), encodePacked({ group: 64, scales: 'BF16' }), 'U4_G32'],
    ['int4, a scale for each row', packed(channel), encodePacked(), 'Q4_0'],
    [
      'int4 with zero points',
      packed({ ...int4, symmetric: false }),
      encodePacked({ group: 64, zeros: true }),
      'U4_G32',
    ],
    [
      'int4, ordered',
      packed({ ...int4, actorder: 'group' }),
      encodePacked({ group: 64, isOrdered: true }),
      'F16',
    ],
    [
      'int4 with zero points, ordered, bf16',
      packed({ ...int4, actorder: 'group', symmetric: false }),
      encodePacked({ group: 64, zeros: true, scales: 'BF16', isOrdered: true }),
      'BF16',
    ],
    ['int8', config('int-quantized', int8), encodeInt8(), 'I8_G128'],
    ['int8, packed', packed(int8), encodeInt8({ packed: true }), 'I8_G128'],
    [
      'int8, groups of 128',
      packed({ ...int8, strategy: 'group', group_size: 128 }),
      encodeInt8({ packed: true, group: 128 }),
      'I8_G128',
    ],
    [
      'int8 with zero points',
      config('int-quantized', { ...int8, symmetric: false }),
      encodeSigned8({ scales: 'BF16' }),
      'BF16',
    ],
    [
      'int8 with zero points, groups',
      config('int-quantized', { ...int8, symmetric: false, strategy: 'group', group_size: 128 }),
      encodeSigned8({ group: 128 }),
      'F16',
    ],
    [
      'int8 with zero points, packed',
      packed({ ...int8, symmetric: false }),
      encodePacked({ bits: 8, zeros: true }),
      'F16',
    ],
    [
      'int8, ordered',
      packed({ ...int8, strategy: 'group', group_size: 128, actorder: 'group' }),
      encodePacked({ bits: 8, group: 128, isOrdered: true }),
      'F16',
    ],
    [
      'int8 with zero points, ordered, packed',
      packed({ ...int8, symmetric: false, strategy: 'group', group_size: 128, actorder: 'group' }),
      encodePacked({ bits: 8, zeros: true, group: 128, isOrdered: true, scales: 'BF16' }),
      'BF16',
    ],
    ['fp8, a scale for each row', floats(float8), encodeFp8(1, 384, 'weight_scale'), 'F8_G128'],
    [
      'fp8, one scale',
      floats({ ...float8, strategy: 'tensor' }),
      encodeFp8(21, 384, 'weight_scale'),
      'F8_G128',
    ],
    ['fp8, blocks', floats(blocks), encodeFp8(128, 128, 'weight_scale'), 'F8_G128'],
    ['nvfp4', nvfp4(), encodeNvfp4, 'F4_G16'],
    ['mxfp4', mxfp4, encodePackedMxfp4, 'MXFP4'],
  ])('%s: every value', async (_, settings, encode, dtype) => {
    await expectExact(settings, encode, [21, 384], dtype);
  });

  test('nvfp4 with impossible factors or scales is refused when it is read, and other rows before', async () => {
    const tensors = named(encodeNvfp4(values(4 * 64), 4, 64));
    const read = async (more: Tensors) => (await open(nvfp4(), { ...tensors, ...more })).read('m.weight');
    const factor = (value: number) => ({
      'm.weight_global_scale': written('F32', [1], Float32Array.of(value)),
    });
    for (const value of [0, -2]) {
      await expect(read(factor(value))).rejects.toMatchObject({
        code: 'bad-file',
        message: expect.stringMatching(/"m\.weight_global_scale" has -?\d; a number above 0/),
      });
    }
    await expect(read(factor(Infinity))).rejects.toMatchObject({ code: 'non-finite' });
    const scales = (byte: number) => ({
      'm.weight_scale': written('F8_E4M3', [4, 4], new Uint8Array(16).fill(byte, 5)),
    });
    await expect(read(scales(0x7f))).rejects.toMatchObject({ code: 'non-finite' });
    await expect(read(scales(0x81))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(/"m\.weight_scale" has a negative scale at 5/),
    });
    const two = { 'm.weight_global_scale': written('F32', [2], new Float32Array(2)) };
    await expect(read(two)).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(/"m\.weight_global_scale" is F32 \[2\]; wanted \[1\]/),
    });
    const narrow = await open(nvfp4(), named(encodeNvfp4(values(4 * 32), 4, 32)));
    expect(() => describeMatrix(narrow, { tensor: 'm.weight' }, 32)).toThrow(
      /F4_G16, whose blocks are not read/,
    );
  });

  test('what is dense is not quantised', async () => {
    const tensors = { 'm.weight': written('F32', [1, 2], new Float32Array(2)) };
    expect(
      (await open({ quant_method: 'compressed-tensors', format: 'dense' }, tensors)).tensor('m.weight')
        ?.dtype,
    ).toBe('F32');
  });

  test.each<Refusal>([
    [
      'in another format',
      config('marlin-24', int4),
      () => {},
      'unsupported-model',
      /format is "marlin-24"; wanted pack-quantized or/,
    ],
    [
      'in NVFP4 of integers',
      nvfp4({ type: 'int' }),
      () => {},
      'unsupported-model',
      /group_0 weights: type is "int"; wanted float/,
    ],
    [
      'in NVFP4 of groups of 32',
      nvfp4({ group_size: 32 }),
      () => {},
      'unsupported-model',
      /group_size is 32; wanted 16/,
    ],
    [
      'in NVFP4 with codes in words',
      nvfp4(),
      () => {},
      'unsupported-model',
      /"m\.weight_packed" is I32 \[8, 16\]; wanted U8/,
    ],
    [
      'in two bits',
      packed({ ...int4, num_bits: 2 }),
      () => {},
      'unsupported-model',
      /group_0 weights: num_bits is 2; wanted 8 or 4/,
    ],
    [
      'in floats of four bits',
      floats({ ...float8, num_bits: 4 }),
      () => {},
      'unsupported-model',
      /num_bits is 4; wanted other weights than floats/,
    ],
    [
      'in groups of 16',
      packed({ ...int4, group_size: 16 }),
      () => {},
      'unsupported-model',
      /group_size is 16; wanted a multiple of 32/,
    ],
    [
      'in bytes in groups of 64',
      packed({ ...int8, strategy: 'group', group_size: 64 }),
      () => {},
      'unsupported-model',
      /group_size is 64; wanted a multiple of 128/,
    ],
    [
      'in bytes with a zero point for all',
      packed({ ...int8, symmetric: false, strategy: 'tensor' }),
      () => {},
      'unsupported-model',
      /strategy is "tensor"; wanted group or channel/,
    ],
    [
      'in floats ordered by activations',
      floats({ ...float8, actorder: 'group' }),
      () => {},
      'unsupported-model',
      /actorder is "group"; wanted false/,
    ],
    [
      'sparse',
      config('pack-quantized', int4, { sparsity_config: { format: 'sparse-24-bitmask' } }),
      () => {},
      'unsupported-model',
      /sparsity_config: format is "sparse-24-bitmask"; wanted dense/,
    ],
    [
      'transformed',
      config('pack-quantized', int4, { transform_config: { config_groups: { u: { type: 'hadamard' } } } }),
      () => {},
      'unsupported-model',
      /transform_config/,
    ],
    [
      'in two kinds',
      config('pack-quantized', int4, { config_groups: { a: { weights: int4 }, b: { weights: int8 } } }),
      () => {},
      'unsupported-model',
      /config_groups is .*; wanted groups whose weights are alike/,
    ],
    [
      'without groups',
      config('pack-quantized', int4, { config_groups: {} }),
      () => {},
      'unsupported-model',
      /config_groups is \{\}; wanted a group/,
    ],
    [
      'without scales',
      packed(int4),
      (t) => delete t['m.weight_scale'],
      'bad-file',
      /tensor "m\.weight_scale" is missing/,
    ],
    [
      'without zero points',
      packed({ ...int4, symmetric: false }),
      () => {},
      'bad-file',
      /tensor "m\.weight_zero_point" is missing/,
    ],
    [
      'with scales of other groups',
      packed({ ...int4, group_size: 32 }),
      () => {},
      'bad-file',
      /"m\.weight_scale" is F16 \[8, 2\]; wanted \[8, 4\]/,
    ],
    [
      'with the order of other columns',
      packed(int4),
      (t) => (t['m.weight_g_idx'] = written('I32', [64], new Int32Array(64))),
      'bad-file',
      /"m\.weight_g_idx" is I32 \[64\]; wanted \[128\]/,
    ],
  ])('%s it is refused', async (...refusal) => {
    await expectRefused(encodePacked({ group: 64 })(values(8 * 128), 8, 128), refusal);
  });

  test('an order that was never set is none', async () => {
    const encoded = encodePacked({ group: 64 })(values(8 * 128), 8, 128);
    const unset = {
      ...named(encoded),
      'm.weight_g_idx': written('I32', [128], new Int32Array(128).fill(-1)),
    };
    const read = await (await open(packed(int4), unset)).readF32('m.weight');
    expect(read.every((value, i) => value === f16ToF32(f32ToF16(encoded.values[i]!)))).toBe(true);
  });
});

const COMPRESSED = {
  quant_method: 'compressed-tensors',
  format: 'pack-quantized',
  config_groups: { all: { weights: { num_bits: 4, type: 'int', strategy: 'channel', symmetric: true } } },
};

test.each<[part: string, weight: string, config: object]>([
  ['experts.gate_up_proj_blocks', 'experts.0.gate_proj.weight', { quant_method: 'mxfp4' }],
  ['experts.down_proj_blocks', 'experts.0.down_proj.weight', { quant_method: 'mxfp4' }],
  ['m.qweight', 'm.weight', { quant_method: 'gptq', bits: 4 }],
  ['m.weight_packed', 'm.weight', COMPRESSED],
])('%s in a shard that is missing: %s is missed by its file', async (part, weight, quantization_config) => {
  const files = {
    'config.json': JSON.stringify({ quantization_config }),
    '1.safetensors': await fileOf({ other: written('F32', [1], new Float32Array(1)) }),
    'model.safetensors.index.json': JSON.stringify({
      weight_map: { [part]: '2.safetensors', other: '1.safetensors' },
    }),
  };
  const checkpoint = await openCheckpoint(memoryFolder(files, 'mine'));
  expect(() => describeMatrix(checkpoint, { tensor: weight }, 32)).toThrow(
    `model.safetensors.index.json puts tensor "${weight}" into 2.safetensors, which is missing`,
  );
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

  test.each(['mxfp4', 'fp8', 'gptq', 'awq'])(
    'a file of which nothing is quantised is not %s',
    async (quant_method) => {
      const tensors = { 'm.weight': written('F32', [1, 2], new Float32Array(2)) };
      await expect(open({ quant_method, bits: 4 }, tensors)).rejects.toMatchObject({
        code: 'bad-file',
        message: expect.stringMatching(
          /^mine: quantization_config says how the weights are quantised, and no tensor of the file is;/,
        ),
      });
    },
  );

  test.each([null, false, {}, []])('%o means that nothing is quantised', async (value) => {
    const checkpoint = await open(value, { a: written('F32', [2], new Float32Array(2)) });
    expect([...checkpoint.names()]).toEqual(['a']);
  });
});
