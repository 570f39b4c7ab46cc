/** Models that other tools have quantised give the logits of the same values in f32, whole and with few experts in memory. */
import { describe, expect, test } from 'vitest';
import {
  encodeAwq,
  encodeFp8,
  encodeGptq,
  encodeInt8,
  encodeNvfp4,
  encodePacked,
  encodePackedMxfp4,
  type Encode,
} from '../containers/quantized.testing.ts';
import type { FolderSource } from '../io/source.ts';
import { formatsText } from '../weights/record.ts';
import { draftModel } from './load/planning.ts';
import { mxfp4Pair, quantizedPair, type QuantizedPair } from './quantized-model.testing.ts';
import {
  firstDifference,
  largestError,
  openEngine,
  readGolden,
  repositoryFolder,
  type FixtureGolden,
} from './testing.ts';

/** Of logits of up to 4: kernels add in another order for each format, so that the last places differ. */
const TOLERANCE = 1e-5;

interface Case {
  readonly name: string;
  readonly family: string;
  readonly pair: (folder: FolderSource) => Promise<QuantizedPair>;
  readonly experts: string; // format of the experts
}

/** Matrices of layers, but for routers, which tools leave as they are. */
const LINEAR = /^(model\.layers\..*_proj)\.weight$/;
/** All but one whose rows are no whole blocks. */
const DEEPSEEK = /^(model\.layers\..*(?<!q_b)_proj(_with_mqa)?)\.weight$/;

const FP8 = { quant_method: 'fp8', weight_block_size: [128, 128], modules_to_not_convert: ['lm_head'] };

const GPTQ = { quant_method: 'gptq', bits: 4, group_size: 32, desc_act: false, sym: false };
const AWQ = { quant_method: 'awq', bits: 4, group_size: 32, zero_point: true, version: 'gemm' };

const compressed = (weights: object) => ({
  quant_method: 'compressed-tensors',
  format: 'pack-quantized',
  config_groups: { group_0: { targets: ['Linear'], weights: { type: 'int', symmetric: true, ...weights } } },
  ignore: ['lm_head', 're:.*mlp.gate$'],
});
const INT4 = compressed({ num_bits: 4, strategy: 'group', group_size: 32 });
const INT8 = compressed({ num_bits: 8, strategy: 'channel' });

const fp4 = (format: string, strategy: string, size: number) => ({
  ...compressed({ num_bits: 4, type: 'float', strategy, group_size: size }),
  format,
});
const NVFP4 = fp4('nvfp4-pack-quantized', 'tensor_group', 16);
const MXFP4 = fp4('mxfp4-pack-quantized', 'group', 32);
/** All but those whose rows have 32 weights. */
const WIDE = /^(model\.layers\..*(?<!down)_proj)\.weight$/;

/** Qwen3-MoE in a layout. */
const qwen = (name: string, config: object, encode: Encode, experts: string): Case => ({
  name,
  family: 'qwen3_moe',
  pair: (folder) => quantizedPair(folder, { config, encode, which: LINEAR }),
  experts,
});

const CASES: readonly Case[] = [
  { name: 'mxfp4', family: 'gpt_oss', pair: mxfp4Pair, experts: 'mxfp4' },
  {
    name: 'fp8',
    family: 'deepseek_v3',
    pair: (folder) => quantizedPair(folder, { config: FP8, encode: encodeFp8(), which: DEEPSEEK }),
    experts: 'f8_g128',
  },
  qwen('fp8', FP8, encodeFp8(), 'f8_g128'),
  qwen('gptq', GPTQ, encodeGptq({ group: 32, zeros: true }), 'u4_g32'),
  qwen('gptq, symmetric, with biases', { ...GPTQ, sym: true }, encodeGptq({ group: 32, bias: true }), 'q4_0'),
  qwen(
    'gptq, ordered by activations',
    { ...GPTQ, desc_act: true },
    encodeGptq({ group: 32, zeros: true, isOrdered: true }),
    'f16',
  ),
  qwen(
    'gptq of 8 bits, symmetric',
    { ...GPTQ, bits: 8, sym: true },
    encodeGptq({ bits: 8, group: 32 }),
    'q8_0',
  ),
  qwen(
    'gptq of 8 bits with zeros',
    { ...GPTQ, bits: 8 },
    encodeGptq({ bits: 8, group: 32, zeros: true }),
    'f16',
  ),
  qwen('awq', AWQ, encodeAwq({ group: 32 }), 'u4_g32'),
  qwen('int4 of compressed-tensors', INT4, encodePacked({ group: 32, scales: 'BF16' }), 'u4_g32'),
  qwen(
    'int8 with zero points',
    compressed({ num_bits: 8, strategy: 'channel', symmetric: false }),
    encodePacked({ bits: 8, zeros: true }),
    'f16',
  ),
  {
    name: 'nvfp4 of compressed-tensors',
    family: 'qwen3_moe',
    pair: (folder) => quantizedPair(folder, { config: NVFP4, encode: encodeNvfp4, which: WIDE }),
    experts: 'f4_g16',
  },
  qwen('mxfp4 of compressed-tensors', MXFP4, encodePackedMxfp4, 'mxfp4'),
  qwen('int8 of compressed-tensors', INT8, encodeInt8({ packed: true }), 'i8_g128'),
];

function checks({ family, pair, experts }: Case): void {
  const fixture = async () => {
    const folder = await repositoryFolder(`fixtures/models/${family}`);
    const { ids } = await readGolden<FixtureGolden>(folder);
    return { ids, ...(await pair(folder)) };
  };

  const logits = async (
    engine: Awaited<ReturnType<typeof openEngine>>,
    folder: FolderSource,
    ids: readonly number[],
  ) => {
    await engine.load(folder);
    return [await engine.logits(ids, 'one-by-one'), await engine.logits(ids, 'at-once')] as const;
  };

  test('experts keep the bits of the file', async () => {
    const { quantized } = await fixture();
    const drafted = await draftModel(quantized, {});
    const formats = formatsText(drafted.experts!.layout(0));
    drafted.checkpoint.dispose();
    expect(formats).toContain(experts);
  });

  test.each(['gpu', 'cpu'] as const)('logits equal those of the values on %s', async (device) => {
    const { ids, quantized, plain } = await fixture();
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    const wanted = await logits(engine, plain, ids);
    const found = await logits(engine, quantized, ids);
    engine.dispose();
    expect(largestError(found[0], wanted[0])).toBeLessThan(TOLERANCE);
    expect(largestError(found[1], wanted[1])).toBeLessThan(TOLERANCE);
  });

  test('logits of the reference have the same bits', async () => {
    const { ids, quantized, plain } = await fixture();
    const engine = await openEngine({ device: 'reference' });
    const wanted = await logits(engine, plain, ids);
    const found = await logits(engine, quantized, ids);
    engine.dispose();
    expect(firstDifference(found[0], wanted[0])).toBe('equal');
    expect(firstDifference(found[1], wanted[1])).toBe('equal');
  });

  test.each(['gpu', 'cpu'] as const)('the smallest pool gives the same bits on %s', async (device) => {
    const { ids, quantized } = await fixture();
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(quantized);
    const whole = await engine.logits(ids, 'one-by-one');
    await engine.resize({ streaming: { slotsPerLayer: 2 } });
    expect(firstDifference(await engine.logits(ids, 'one-by-one'), whole)).toBe('equal');
    engine.dispose();
  });
}

/** One layout of each way to compose weights in the quick lane. */
const QUICK: ReadonlySet<string> = new Set(['mxfp4', 'awq', 'int8 of compressed-tensors']);

describe.each(CASES.filter(({ name }) => QUICK.has(name)))('$family in $name', checks);
describe.each(CASES.filter(({ name }) => !QUICK.has(name)))('$family in $name', { tags: ['full'] }, checks);

test('a plan counts weights ordered by activations as floats, and says so', async () => {
  const folder = await repositoryFolder('fixtures/models/qwen3_moe');
  const planOf = async (isOrdered: boolean) => {
    const config = { ...GPTQ, sym: true, desc_act: isOrdered };
    const encode = encodeGptq({ group: 32, isOrdered });
    const { quantized } = await quantizedPair(folder, { config, encode, which: LINEAR });
    const engine = await openEngine({ device: 'reference' });
    const { bytes, notes } = await engine.plan(quantized);
    engine.dispose();
    return { oneExpert: bytes.oneExpert, kinds: notes.map(({ kind }) => kind) };
  };
  const [blocks, floats] = [await planOf(false), await planOf(true)];
  // Three matrices of 2048 weights, each at a multiple of 256 bytes; `down` has one group, and keeps its bits.
  expect([blocks.oneExpert, floats.oneExpert]).toEqual([3 * 1280, 2 * 4096 + 1280]);
  expect([blocks.kinds, floats.kinds]).toEqual([[], ['expanded']]);
});
