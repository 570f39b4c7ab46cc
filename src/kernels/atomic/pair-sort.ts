import countSource from '../../../shaders/atomic/pair-sort-count.wgsl?raw';
import scanSource from '../../../shaders/atomic/pair-sort-scan.wgsl?raw';
import scatterSource from '../../../shaders/atomic/pair-sort-scatter.wgsl?raw';
import { constants, foldGrid, gridPart } from '../common.ts';
import { defineKernel } from '../kernel.ts';

const BLOCK = 2048; // pairs per workgroup
const DIGIT_BITS = 8;
const WG = 64;

/** Problem size, which determines the grid. */
export interface PairSortSize {
  readonly pairs: number;
}

/** The digit of a pass: parameters `shift` and `bits` of the kernels. */
export interface SortPass {
  readonly shift: number;
  readonly bits: number;
}

/**
 * The passes that sort ids below `experts`, lowest digit first: one up to 256 experts, two up to 65,536, three up to 16 Mi.
 * Each is count, scan, scatter; the first reads ids (stride 1), the others the output of the previous pass (stride 2).
 */
export function sortPasses(experts: number): SortPass[] {
  const keyBits = Math.max(1, Math.ceil(Math.log2(experts)));
  const passes = Math.ceil(keyBits / DIGIT_BITS);
  const bits = Math.ceil(keyBits / passes);
  return Array.from({ length: passes }, (_, pass) => ({ shift: pass * bits, bits }));
}

/** Number of blocks of pairs, one workgroup each. */
export function sortBlocks(pairs: number): number {
  return Math.ceil(pairs / BLOCK);
}

/** Size of `counts` in u32 words: [digits, blocks]. */
export function sortCountWords(pairs: number): number {
  return 2 ** DIGIT_BITS * sortBlocks(pairs);
}

/** Size of the digit totals in u32 words. */
export const SORT_TOTAL_WORDS = 2 ** DIGIT_BITS;

const VARIANTS = [{ wg: WG }] as const;

/**
 * Counts the digits of each block: first dispatch of a radix-sort pass.
 *
 * keys [pairs] with `stride` -> counts [digits, blocks] u32
 */
export const pairSortCount = defineKernel({
  name: 'pair-sort-count',
  bindings: { keys: 'read', counts: 'write' },
  params: { pairs: 'u32', stride: 'u32', shift: 'u32', bits: 'u32' },
  variants: VARIANTS,
  parts: () => [constants({ BLOCK }), gridPart, { name: 'atomic/pair-sort-count.wgsl', text: countSource }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `pair-sort-count/wg${wg}`,
  grid: ({ pairs }: PairSortSize) => foldGrid(sortBlocks(pairs)),
});

/**
 * Exclusive prefix sums of the counts over blocks, and totals by digit: second dispatch of a pass.
 *
 * counts [digits, blocks] u32, in place -> totals [digits] u32
 */
export const pairSortScan = defineKernel({
  name: 'pair-sort-scan',
  bindings: { counts: 'write', totals: 'write' },
  params: { blocks: 'u32', digits: 'u32' },
  variants: VARIANTS,
  parts: () => [gridPart, { name: 'atomic/pair-sort-scan.wgsl', text: scanSource }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `pair-sort-scan/wg${wg}`,
  grid: ({ bits }: SortPass) => [2 ** bits, 1, 1],
});

/**
 * Moves the pairs to their positions; stable. Third dispatch of a pass.
 *
 * keys [pairs] with `stride`, counts [digits, blocks], totals [digits] -> sorted [pairs, (id, pair)], all u32
 */
export const pairSortScatter = defineKernel({
  name: 'pair-sort-scatter',
  bindings: { keys: 'read', counts: 'read', totals: 'read', sorted: 'write' },
  params: { pairs: 'u32', stride: 'u32', shift: 'u32', bits: 'u32' },
  variants: VARIANTS,
  parts: () => [
    constants({ BLOCK }),
    gridPart,
    { name: 'atomic/pair-sort-scatter.wgsl', text: scatterSource },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `pair-sort-scatter/wg${wg}`,
  grid: ({ pairs }: PairSortSize) => foldGrid(sortBlocks(pairs)),
});
