/**
 * GGUF files of ggml's IQ1, IQ2 and IQ3 formats: the same logits as the reference gives with the dequantised floats, and the same bits
 * with few experts in memory.
 */
import { expect, test } from 'vitest';
import { ggufBytes, type WrittenTensor } from '../containers/gguf.testing.ts';
import { ggmlType } from '../containers/gguf/types.ts';
import { readGgufHeader } from '../containers/gguf/header.ts';
import { memoryFile, memoryFolder } from '../io/memory.ts';
import { randomStream } from '../kernels/testing.ts';
import { isBlockDtype, type BlockDtype } from '../weights/dtypes.ts';
import { weightFormat } from '../weights/formats/index.ts';
import { randomBlocks, repackOf } from '../weights/ggml-blocks.testing.ts';
import { firstDifference, largestError, openEngine, repositoryFolder } from './testing.ts';

const IDS = [1, 40, 17, 3, 90, 62, 8];
const TOLERANCE = 1e-4; // of logits
const DEVIATION = 0.05; // of weights

type Mix = readonly [BlockDtype, BlockDtype, BlockDtype];

/** The formats of gate and up, of down, and of attention and embeddings. */
const MIXES = [
  ['IQ2_XXS', 'IQ2_S', 'IQ3_S'],
  ['IQ2_XS', 'IQ3_XXS', 'IQ2_XXS'],
  ['IQ1_S', 'IQ3_S', 'IQ3_XXS'],
  ['IQ1_M', 'IQ2_XS', 'IQ1_S'],
] as const satisfies readonly Mix[];

const NUMBERS = new Map(Array.from({ length: 41 }, (_, number) => [ggmlType(number), number]));

/** Two files: random blocks in the place of those of the fixture, and the floats that these stand for. */
async function twins(mix: Mix): Promise<{ blocks: Uint8Array; floats: Uint8Array }> {
  const file = await (await repositoryFolder('fixtures/gguf-quant')).open('olmoe-q4_k_m.gguf');
  const bytes = await file!.read(0, file!.sizeBytes);
  const { metadata, tensors } = await readGgufHeader(memoryFile('m.gguf', bytes));
  const next = randomStream(5);
  const [blocks, floats]: [WrittenTensor[], WrittenTensor[]] = [[], []];
  for (const [name, { dtype, shape, offsetBytes, sizeBytes }] of tensors) {
    const own = { name, dims: [...shape].reverse() };
    if (!isBlockDtype(dtype)) {
      const same = {
        ...own,
        type: NUMBERS.get(dtype)!,
        bytes: bytes.subarray(offsetBytes, offsetBytes + sizeBytes),
      };
      blocks.push(same);
      floats.push(same);
      continue;
    }
    const chosen = mix[/ffn_(gate|up)_exps/.test(name) ? 0 : name.includes('ffn_down_exps') ? 1 : 2];
    const format = chosen.toLowerCase();
    const cols = shape.at(-1)!;
    const rows = shape.slice(0, -1).reduce((product, size) => product * size, 1);
    const source = randomBlocks(format, (rows * cols) / weightFormat(format).block, DEVIATION, next);
    const values = weightFormat(format).decode(repackOf(format)(source, rows, cols), rows, cols);
    blocks.push({ ...own, type: NUMBERS.get(chosen)!, bytes: source });
    floats.push({ ...own, type: 0, bytes: new Uint8Array(values.buffer) });
  }
  const write = (each: WrittenTensor[]) => ggufBytes({ metadata: [...metadata], tensors: each });
  return { blocks: write(blocks), floats: write(floats) };
}

const folderOf = (bytes: Uint8Array) => ({ ...memoryFolder({ 'm.gguf': bytes }), entry: 'm.gguf' });

test.each(MIXES)('experts of %s and %s, others of %s', async (...mix) => {
  const { blocks, floats } = await twins(mix);
  const golden = await openEngine({ device: 'reference' });
  await golden.load(folderOf(floats));
  const wanted = await golden.logits(IDS, 'at-once');
  golden.dispose();
  for (const device of ['gpu', 'cpu', 'reference'] as const) {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    const plan = await engine.plan(folderOf(blocks));
    expect(plan.notes.map(({ kind }) => kind)).toContain('expanded');
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
});
