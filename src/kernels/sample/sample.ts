import blocksSource from '../../../shaders/sample/sample-blocks.wgsl?raw';
import pickSource from '../../../shaders/sample/sample-pick.wgsl?raw';
import rankSource from '../../../shaders/sample/sample-rank.wgsl?raw';
import sampleSource from '../../../shaders/lib/sample.wgsl?raw';
import type { Part } from '../../gpu/program.ts';
import { constants, foldGrid, gridPart } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';
import { RECORD_HEAD_WORDS } from './sample-record.ts';

const samplePart: Part = { name: 'lib/sample.wgsl', text: sampleSource };
const CANDIDATE_COUNTS = [64, 256] as const;

/** Size of one block's summary in 4-byte words. */
export const BLOCK_WORDS = 4;

/**
 * Number of blocks of a vocabulary: several hundred, so that both ranking the blocks (each against all others) and
 * ordering the logits of the best blocks are cheap.
 */
export function sampleBlocks(vocab: number): number {
  return Math.ceil(vocab / (vocab <= 16_384 ? 16 : vocab <= 65_536 ? 64 : 128));
}

/** Problem size, which determines the grid: one row of logits. */
export interface SampleSize {
  readonly vocab: number;
}

/**
 * Largest logit and sums of exponentials of each block: step 1 of 3 from logits to a record.
 *
 * logits [vocab] f32 -> found [blocks] of BLOCK_WORDS words
 */
export const sampleBlocksKernel = defineKernel({
  name: 'sample-blocks',
  bindings: { logits: 'read', found: 'write' },
  params: { vocab: 'u32', blocks: 'u32', inverse_temperature: 'f32' },
  variants: cross({ wg: [8, 64] }),
  parts: () => [gridPart, samplePart, { name: 'sample/sample-blocks.wgsl', text: blocksSource }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `sample-blocks/wg${wg}`,
  grid: ({ vocab }: SampleSize, { wg }) => foldGrid(Math.ceil(sampleBlocks(vocab) / wg)),
});

/**
 * Order of the best blocks, and the record's head, which suffices for greedy decoding: step 2 of 3.
 *
 * found [blocks] -> ranked [min(candidates, blocks)] u32, and the head of record (sample-record.ts)
 */
export const sampleRank = defineKernel({
  name: 'sample-rank',
  bindings: { found: 'read', ranked: 'write', record: 'write' },
  params: { vocab: 'u32', blocks: 'u32', inverse_temperature: 'f32' },
  variants: cross({ candidates: CANDIDATE_COUNTS, wg: [8, 64] }),
  parts: ({ candidates }) => [
    constants({ CANDIDATES: candidates }),
    gridPart,
    samplePart,
    { name: 'sample/sample-rank.wgsl', text: rankSource },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ candidates, wg }) => `sample-rank/c${candidates}/wg${wg}`,
  grid: ({ vocab }: SampleSize, { wg }) => foldGrid(Math.ceil(sampleBlocks(vocab) / wg)),
});

/**
 * The record's candidates in order: step 3 of 3.
 *
 * logits [vocab] f32, found [blocks], ranked -> candidates of record (sample-record.ts)
 */
export const samplePick = defineKernel({
  name: 'sample-pick',
  bindings: { logits: 'read', found: 'read', ranked: 'read', record: 'write' },
  params: { vocab: 'u32', blocks: 'u32' },
  variants: cross({ candidates: CANDIDATE_COUNTS, wg: [8, 64] }),
  parts: ({ candidates }) => [
    constants({ CANDIDATES: candidates, HEAD: RECORD_HEAD_WORDS }),
    gridPart,
    samplePart,
    { name: 'sample/sample-pick.wgsl', text: pickSource },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ candidates, wg }) => `sample-pick/c${candidates}/wg${wg}`,
  grid: ({ vocab }: SampleSize, { candidates, wg }) => {
    const blocks = sampleBlocks(vocab);
    return foldGrid(Math.ceil((Math.min(candidates, blocks) * Math.ceil(vocab / blocks)) / wg));
  },
});
