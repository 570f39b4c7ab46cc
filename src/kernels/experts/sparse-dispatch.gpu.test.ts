import { describe, expect, test } from 'vitest';
import { maxTiles, NOWHERE, sparseDispatch, TILE_HEADER_WORDS, tilesWords } from './sparse-dispatch.ts';
import { sparseDispatchReference } from './sparse-dispatch.reference.ts';
import { randomStream, runKernel, runnable, testGpu } from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, sparseDispatch);
type Variant = (typeof variants)[number];

/** Random ids; rank 0 of every token prefers low experts, so that runs differ in length. */
function randomIds(tokens: number, topK: number, experts: number, seed: number): Uint32Array<ArrayBuffer> {
  const next = randomStream(seed);
  return Uint32Array.from({ length: tokens * topK }, (_, pair) =>
    Math.floor(experts * (pair % topK === 0 ? next() ** 3 : next())),
  );
}

async function expectSorted(
  variant: Variant,
  ids: Uint32Array<ArrayBuffer>,
  experts: number,
  tileRows: number,
): Promise<void> {
  const pairs = ids.length;
  const got = await runKernel(gpu, sparseDispatch, variant, {
    buffers: {
      ids,
      counts: { type: 'u32', count: experts },
      offsets: { type: 'u32', count: experts + 1 },
      sorted: { type: 'u32', count: pairs },
      place: { type: 'u32', count: pairs },
      tiles: { type: 'u32', count: tilesWords({ pairs, experts }, tileRows) },
      args: { type: 'u32', count: 3 },
    },
    params: { pairs, experts, tile_rows: tileRows, args_y: 5, args_z: 1 },
    size: { pairs, experts },
  });
  const want = sparseDispatchReference(ids, { pairs, experts, tileRows, argsY: 5, argsZ: 1 });
  for (const name of ['counts', 'offsets', 'sorted', 'place', 'args'] as const) {
    expect([...got[name]], name).toEqual([...want[name]]);
  }
  const stride = TILE_HEADER_WORDS + tileRows;
  for (let tile = 0; tile < want.args[0]!; tile += 1) {
    const rows = want.tiles[tile * stride + 2]!;
    const record = [tile * stride, tile * stride + TILE_HEADER_WORDS + rows] as const;
    expect([...got.tiles.slice(...record)], `tile ${tile}`).toEqual([...want.tiles.slice(...record)]);
  }
}

describe.each(variants.map((variant) => [sparseDispatch.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      [1, 1, 1],
      [1, 8, 128],
      [15, 1, 3],
      [16, 1, 4],
      [17, 1, 5],
      [127, 1, 64],
      [128, 1, 2],
      [129, 1, 128],
      [85, 3, 7], // 255 pairs
      [256, 1, 256],
      [257, 1, 255],
      [256, 8, 128],
    ])('%i tokens, top %i of %i', async (tokens, topK, experts) => {
      await expectSorted(variant, randomIds(tokens, topK, experts, 1), experts, 16);
    });

    test.each([1, 2, 31, 32])('tiles of %i rows', async (tileRows) => {
      await expectSorted(variant, randomIds(40, 4, 12, 2), 12, tileRows);
    });

    test('one expert has all pairs', async () => {
      await expectSorted(variant, new Uint32Array(300).fill(6), 9, 16);
      await expectSorted(variant, new Uint32Array(33).fill(0), 9, 16);
      await expectSorted(variant, new Uint32Array(33).fill(8), 9, 16);
    });

    test('ids without an expert have no place', async () => {
      const ids = randomIds(100, 3, 10, 3);
      await expectSorted(variant, ids, 8, 16); // 8 and 9 are no experts
      await expectSorted(variant, new Uint32Array(20).fill(NOWHERE), 8, 16); // nothing to do
    });
  },
);

const widest = variants.at(-1)!;

test.each([
  [300, 4, 1024],
  [4096, 16, 64],
])('%i tokens, top %i of %i', async (tokens, topK, experts) => {
  const stream = randomStream(4);
  const ids = Uint32Array.from({ length: tokens * topK }, () => Math.floor(stream() * experts));
  await expectSorted(widest, ids, experts, 32);
});

test('the same ids give the same order', async () => {
  const ids = randomIds(64, 8, 32, 5);
  await expectSorted(widest, ids, 32, 16);
  await expectSorted(widest, ids, 32, 16);
});

test('the bound on tiles is exact if every run ends in a partial tile', () => {
  expect(maxTiles({ pairs: 8, experts: 16 }, 4)).toBe(8);
  const ids = Uint32Array.of(0, 0, 0, 0, 0, 1, 1, 1, 1, 1); // 5 + 5 rows
  const { args } = sparseDispatchReference(ids, { pairs: 10, experts: 2, tileRows: 4, argsY: 1, argsZ: 1 });
  expect(args[0]).toBe(maxTiles({ pairs: 10, experts: 2 }, 4));
});

test('the reference gives a hand-computed order', () => {
  const { sorted, offsets, place, tiles } = sparseDispatchReference(Uint32Array.of(2, 0, 2, 9, 0, 2), {
    pairs: 6,
    experts: 3,
    tileRows: 2,
    argsY: 1,
    argsZ: 1,
  });
  expect([...sorted]).toEqual([1, 4, 0, 2, 5, 3]);
  expect([...offsets]).toEqual([0, 2, 2, 5]);
  expect([...place]).toEqual([2, 0, 3, NOWHERE, 1, 4]);
  expect([...tiles.slice(0, 18)]).toEqual([0, 0, 2, 0, 1, 4, 2, 2, 2, 0, 0, 2, 2, 4, 1, 0, 5, 0]);
});
