/** GGUF files of gated delta nets, whose tensors are rearranged, and of what is wrong with recurrent models. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parseModel } from '../models/registry.ts';
import { memoryFile, memoryFolder } from '../io/memory.ts';
import { nodeFolder } from '../io/node-file.ts';
import type { Checkpoint } from './checkpoint.ts';
import { ggufBytes, type WrittenTensor } from './gguf.testing.ts';
import { readGgufHeader, type GgufValue } from './gguf/header.ts';
import { openCheckpoint } from './index.ts';

/** Of both fixtures. */
const [KEY_HEADS, HEADS, DIMS] = [2, 4, 16];
const KEYS = KEY_HEADS * DIMS;
const EACH = HEADS / KEY_HEADS;

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Which row of the checkpoint is a row of the file, where heads of `dims` rows begin at `first`. */
function tiledRow(row: number, dims: number, first = 0): number {
  if (row < first) return row;
  const at = Math.floor((row - first) / dims); // the file has head at % KEY_HEADS of its keys, each in turn
  const head = (at % KEY_HEADS) * EACH + Math.floor(at / KEY_HEADS);
  return first + head * dims + ((row - first) % dims);
}

/** Which row of in_proj_qkvz is a row of q, k, v, z: these are grouped by key heads there. */
function groupedRow(row: number): number {
  const sizes = [DIMS, DIMS, EACH * DIMS, EACH * DIMS];
  const group = sizes.reduce((sum, size) => sum + size, 0);
  let [rest, before] = [row, 0];
  for (const size of sizes) {
    if (rest < KEY_HEADS * size) return Math.floor(rest / size) * group + before + (rest % size);
    rest -= KEY_HEADS * size;
    before += size;
  }
  throw new Error(`row ${row}`);
}

/** Values by rows, in another order. */
const rowsOf = (values: Float32Array, cols: number, order: (row: number) => number) =>
  Float32Array.from(
    range(values.length / cols).flatMap((row) => [
      ...values.subarray(order(row) * cols, (order(row) + 1) * cols),
    ]),
  );

/** What the file of a family has under a name, of the tensors of the checkpoint. */
async function wantedOf(family: string, name: string, model: Checkpoint): Promise<Float32Array> {
  if (name.endsWith('norm.weight') && !name.endsWith('linear_attn.norm.weight'))
    return (await model.readF32(name)).map((gain) => gain + 1);
  const [, at = '', part = ''] = /^(.*linear_attn\.)(.+)$/.exec(name) ?? [];
  if (family === 'qwen3_next') {
    if (part !== 'in_proj_qkv.weight' && part !== 'in_proj_z.weight') return model.readF32(name);
    const grouped = await model.readF32(`${at}in_proj_qkvz.weight`);
    const [whole, rows] = [rowsOf(grouped, 64, groupedRow), 2 * KEYS + HEADS * DIMS];
    return part === 'in_proj_qkv.weight' ? whole.subarray(0, rows * 64) : whole.subarray(rows * 64);
  }
  const values = await model.readF32(name);
  const vector = (row: number) => tiledRow(row, 1);
  const afterKeys = (row: number) => tiledRow(row, DIMS, 2 * KEYS);
  if (/^(?:A_log|dt_bias)$/.test(part)) return rowsOf(values, 1, vector);
  if (/^in_proj_[ab]/.test(part)) return rowsOf(values, 64, vector);
  if (part === 'in_proj_z.weight') return rowsOf(values, 64, (row) => tiledRow(row, DIMS));
  if (part === 'in_proj_qkv.weight') return rowsOf(values, 64, afterKeys);
  if (part === 'conv1d.weight') return rowsOf(values, 4, afterKeys);
  if (part !== 'out_proj.weight') return values;
  return rowsOf(values, 1, (at) => 64 * Math.floor(at / 64) + tiledRow(at % 64, DIMS)); // columns
}

test.each(['qwen3_next', 'qwen3_5_moe_text'])(
  '%s has the tensors of the checkpoint, rearranged',
  async (family) => {
    const file = await openCheckpoint(await nodeFolder(`fixtures/gguf/${family}.gguf`));
    const model = await openCheckpoint(await nodeFolder(`fixtures/models/${family}`));
    let compared = 0;
    for (const name of file.names()) {
      if (name.startsWith('blk.')) continue; // pieces of others
      if (/\.experts\.\d/.test(name) && model.tensor(name) === undefined) continue; // apart here, fused there
      const [found, wanted] = [await file.readF32(name), await wantedOf(family, name, model)];
      if (name.endsWith('A_log')) {
        // A logarithm of an exponential.
        for (const [i, value] of wanted.entries()) expect(found[i], name).toBeCloseTo(value, 5);
      } else expect(found, name).toEqual(Float32Array.from(wanted));
      compared += 1;
    }
    expect(compared).toBeGreaterThan(60);
    file.dispose();
    model.dispose();
  },
);

/** The family's reading of a fixture whose metadata is edited. */
async function parsed(family: string, edit: Readonly<Record<string, GgufValue | undefined>>) {
  const bytes = new Uint8Array(await readFile(`fixtures/gguf/${family}.gguf`));
  const { metadata, tensors } = await readGgufHeader(memoryFile('m.gguf', bytes));
  const edited = Object.entries({ ...Object.fromEntries(metadata), ...edit });
  const written = [...tensors].map(([name, { shape, offsetBytes, sizeBytes }]): WrittenTensor => {
    return {
      name,
      dims: shape.toReversed(),
      type: 0,
      bytes: bytes.slice(offsetBytes, offsetBytes + sizeBytes),
    };
  });
  const file = ggufBytes({
    metadata: edited.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])),
    tensors: written,
  });
  const { config, label } = await openCheckpoint({
    ...memoryFolder({ 'm.gguf': file }, 'mine'),
    entry: 'm.gguf',
  });
  return (await parseModel(config, label)).spec;
}

describe('metadata that fits no model is one error that names it', () => {
  test.each<[string, string, Record<string, GgufValue | undefined>, string, RegExp]>([
    [
      'heads that do not divide the inner size',
      'qwen3_5_moe_text',
      { 'qwen35moe.ssm.inner_size': 62 },
      'bad-file',
      /linear_value_head_dim is 15\.5; wanted a positive integer/,
    ],
    [
      'no key heads',
      'qwen3_next',
      { 'qwen3next.ssm.group_count': undefined },
      'bad-file',
      /mine: m\.gguf: qwen3next\.ssm\.group_count is missing, a positive whole number is wanted/,
    ],
    [
      'widths of two layers',
      'nemotron_h',
      { 'nemotron_h_moe.feed_forward_length': [0, 32] },
      'bad-file',
      /nemotron_h_moe\.feed_forward_length is "0,32", a number for each of 4 layers is wanted/,
    ],
    [
      'experts of latent vectors',
      'nemotron_h',
      { 'nemotron_h_moe.moe_latent_size': 16 },
      'unsupported-model',
      /moe_latent_size 16/,
    ],
    [
      'no epsilon',
      'nemotron_h',
      { 'nemotron_h_moe.attention.layer_norm_epsilon': undefined },
      'bad-file',
      /nemotron_h_moe\.attention\.layer_norm_rms_epsilon is missing/,
    ],
  ])('%s', async (_, family, edit, code, message) => {
    await expect(parsed(family, {})).resolves.toBeDefined();
    await expect(parsed(family, edit)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

test('layers of Nemotron with a width and no router have an MLP', async () => {
  const { layers } = await parsed('nemotron_h', { 'nemotron_h_moe.feed_forward_length': [48, 32, 0, 32] });
  expect(layers.map(({ sublayers: [first] }) => first?.block.kind)).toEqual([
    'dense',
    'moe',
    'attention',
    'moe',
  ]);
  expect(layers[0]?.sublayers[0]?.block).toMatchObject({ width: 48 });
});
