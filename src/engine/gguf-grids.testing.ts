/** A model in ggml's IQ1, IQ2 and IQ3 formats, or in NVFP4, and its twin of floats. Not part of the library. */
import { expect } from 'vitest';
import { f32Tensor, ggufBytes, type WrittenTensor } from '../containers/gguf.testing.ts';
import { ggmlType } from '../containers/gguf/types.ts';
import { readGgufHeader } from '../containers/gguf/header.ts';
import { memoryFile, memoryFolder } from '../io/memory.ts';
import { isBlockDtype, type BlockDtype } from '../weights/dtypes.ts';
import { weightFormat } from '../weights/formats/index.ts';
import { randomBlocks, repackOf } from '../weights/ggml-blocks.testing.ts';
import { uniform } from './talk/random.ts';
import { firstDifference, largestError, openEngine, repositoryFolder } from './testing.ts';

const DEVIATION = 0.05; // of weights

export type Mix = readonly [BlockDtype, BlockDtype, BlockDtype];

/** The formats of gate and up, of down, and of attention and embeddings. */
export const MIXES = [
  ['IQ2_XXS', 'IQ2_S', 'IQ3_S'],
  ['IQ2_XS', 'IQ3_XXS', 'IQ2_XXS'],
  ['IQ1_S', 'IQ3_S', 'IQ3_XXS'],
  ['IQ1_M', 'IQ2_XS', 'IQ1_S'],
] as const satisfies readonly Mix[];

const NUMBERS = new Map(Array.from({ length: 41 }, (_, number) => [ggmlType(number), number]));

/** The number of a type in GGUF files. */
function numberOf(dtype: string): number {
  for (const [name, number] of NUMBERS) if (name === dtype) return number;
  throw new Error(`GGUF has no type ${dtype}`);
}

/**
 * Two files: random blocks in the place of those of the fixture, and the floats that these stand for.
 *
 * @param hasFactors - whether the first has factors of tensors and of experts beside the blocks, and one of activations
 */
export async function twins(
  mix: Mix,
  hasFactors = false,
): Promise<{ blocks: Uint8Array; floats: Uint8Array }> {
  const file = await (await repositoryFolder('fixtures/gguf-quant')).open('olmoe-q4_k_m.gguf');
  if (!file) throw new Error('the fixture is missing');
  const bytes = await file.read(0, file.sizeBytes);
  const { metadata, tensors } = await readGgufHeader(memoryFile('m.gguf', bytes));
  let drawn = 0;
  const next = () => uniform(5, drawn++);
  const [blocks, floats]: [WrittenTensor[], WrittenTensor[]] = [[], []];
  for (const [name, { dtype, shape, offsetBytes, sizeBytes }] of tensors) {
    const own = { name, dims: [...shape].reverse() };
    if (!isBlockDtype(dtype)) {
      const same = {
        ...own,
        type: numberOf(dtype),
        bytes: bytes.subarray(offsetBytes, offsetBytes + sizeBytes),
      };
      blocks.push(same);
      floats.push(same);
      continue;
    }
    const chosen = mix[/ffn_(gate|up)_exps/.test(name) ? 0 : name.includes('ffn_down_exps') ? 1 : 2];
    const format = chosen.toLowerCase();
    const cols = shape.at(-1) ?? 0;
    const rows = shape.slice(0, -1).reduce((product, size) => product * size, 1);
    const source = randomBlocks(format, (rows * cols) / weightFormat(format).block, DEVIATION, next);
    const values = weightFormat(format).decode(repackOf(format)(source, rows, cols), rows, cols);
    blocks.push({ ...own, type: numberOf(chosen), bytes: source });
    if (hasFactors) blocks.push(...factorsOf(name, shape, values));
    floats.push({ ...own, type: 0, bytes: new Uint8Array(values.buffer) });
  }
  const write = (each: WrittenTensor[]) => ggufBytes({ metadata: [...metadata], tensors: each });
  return { blocks: write(blocks), floats: write(floats) };
}

/** Factors of a tensor, by which its values are multiplied. */
function factorsOf(name: string, shape: readonly number[], values: Float32Array): WrittenTensor[] {
  const count = shape.length > 2 ? (shape[0] ?? 1) : 1;
  const factors = Float32Array.from({ length: count }, (_, expert) => 0.75 + 0.1 * (expert % 5));
  const each = values.length / count;
  for (const [i, value] of values.entries()) values[i] = value * (factors[Math.floor(i / each)] ?? NaN);
  const stem = name.replace(/\.weight$/, '');
  return [
    f32Tensor(`${stem}.scale`, [count], factors),
    f32Tensor(`${stem}.input_scale`, [1], Float32Array.of(0.3)),
  ];
}

/** A folder with one such file. */
export const folderOf = (bytes: Uint8Array) => ({ ...memoryFolder({ 'm.gguf': bytes }), entry: 'm.gguf' });

const IDS = [1, 40, 17, 3, 90, 62, 8];
const TOLERANCE = 1e-4; // of logits

/**
 * A model in a mix of formats on GPU, WebAssembly and reference: the logits of the dequantised floats, in one go and token by token, and
 * the same bits with two experts in memory.
 *
 * @returns the notes of its plan
 */
export async function expectAsFloats(mix: Mix, hasFactors = false): Promise<readonly string[]> {
  const { blocks, floats } = await twins(mix, hasFactors);
  const golden = await openEngine({ device: 'reference' });
  await golden.load(folderOf(floats));
  const wanted = await golden.logits(IDS, 'at-once');
  golden.dispose();
  let notes: readonly string[] = [];
  for (const device of ['gpu', 'cpu', 'reference'] as const) {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    notes = (await engine.plan(folderOf(blocks))).notes.map(({ kind }) => kind);
    await engine.load(folderOf(blocks));
    expect(largestError(await engine.logits(IDS, 'at-once'), wanted), device).toBeLessThan(TOLERANCE);
    const whole = await engine.logits(IDS, 'one-by-one');
    expect(largestError(whole, wanted), device).toBeLessThan(TOLERANCE);
    if (device !== 'reference') {
      await engine.resize({ streaming: { slotsPerLayer: 2 } });
      expect(firstDifference(await engine.logits(IDS, 'one-by-one'), whole), device).toBe('equal');
    }
    engine.dispose();
  }
  return notes;
}
