import rowsSource from '../../shaders/lib/attention-rows.wgsl?raw';
import source from '../../shaders/attention-scores.wgsl?raw';
import type { Part } from '../gpu/program.ts';
import { ATTENTION_PARAMS } from './attention.ts';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from './common.ts';
import { cross, defineKernel } from './kernel.ts';

export interface UnfusedAttentionSize {
  readonly tokens: number;
  readonly past: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Parameters and row numbering of both halves of unfused attention. */
export const attentionRowsPart: Part = { name: 'lib/attention-rows.wgsl', text: rowsSource };

const RECORD_KEYS = 16;
const RECORD_WORDS = 4 * (RECORD_KEYS + 2);

function recordCount({ tokens, past, heads, kvHeads }: Omit<UnfusedAttentionSize, 'headDim'>): number {
  const tiles = Math.ceil((tokens * heads) / kvHeads / 4);
  return tiles * kvHeads * Math.ceil((past + tokens) / RECORD_KEYS);
}

/** 4-byte words of the records between the two halves. It grows with tokens * past: for short contexts. */
export function attentionRecordsWords(size: Omit<UnfusedAttentionSize, 'headDim'>): number {
  return recordCount(size) * RECORD_WORDS;
}

/**
 * Softmax weights of four rows against 16 keys per lane, with neither workgroup memory nor barriers: quick where a
 * barrier is dear (software adapters). Any number of query tokens; `attentionValues` follows.
 */
export const attentionScores = defineKernel({
  name: 'attention-scores',
  bindings: { q: 'read', k_cache: 'read', records: 'write' },
  params: ATTENTION_PARAMS,
  variants: cross({ scalar: SCALARS, wg: [8, 64] }),
  parts: ({ scalar }) => [
    scalarPrelude(scalar),
    gridPart,
    attentionRowsPart,
    { name: 'attention-scores.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg }) => `attention-scores/${scalar}/wg${wg}`,
  grid: (size: UnfusedAttentionSize, { wg }) => foldGrid(Math.ceil(recordCount(size) / wg)),
});
