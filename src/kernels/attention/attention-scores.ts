import rowsSource from '../../../shaders/lib/attention-rows.wgsl?raw';
import { render, type Part } from '../../gpu/program.ts';
import { ATTENTION_PARAMS } from './attention.ts';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { softwarePart } from '../forms/parts.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size of scores and values, which determines the grid: [tokens, heads] queries over past + tokens keys. */
export interface UnfusedAttentionSize {
  readonly tokens: number;
  readonly past: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly groups?: number; // workgroups of this dispatch, if the work is divided; default all
}

/** Parameters of the kernels with this numbering of rows. A dispatch computes the workgroups from `first_group` on. */
export const ATTENTION_ROWS_PARAMS = { ...ATTENTION_PARAMS, first_group: 'u32' } as const;

/** Parameters and row numbering of both halves of unfused attention. */
export const attentionRowsPart: Part = { name: 'lib/attention-rows.wgsl', text: rowsSource };

const RECORD_KEYS = 16;
const RECORD_WORDS = 4 * (RECORD_KEYS + 2);

function recordCount({ tokens, past, heads, kvHeads }: Omit<UnfusedAttentionSize, 'headDim'>): number {
  const tiles = Math.ceil((tokens * heads) / kvHeads / 4);
  return tiles * kvHeads * Math.ceil((past + tokens) / RECORD_KEYS);
}

/** Number of workgroups for all records. */
export function attentionScoresGroups(size: UnfusedAttentionSize, wg: number): number {
  return Math.ceil(recordCount(size) / wg);
}

/** Multiply-adds per workgroup: four rows against the keys of a record in each lane. */
export function attentionScoresWork({ headDim }: UnfusedAttentionSize, wg: number): number {
  return wg * 4 * RECORD_KEYS * headDim;
}

/** Size in 4-byte words of the records between the two halves. Proportional to tokens * past: for short contexts. */
export function attentionRecordsWords(size: Omit<UnfusedAttentionSize, 'headDim'>): number {
  return recordCount(size) * RECORD_WORDS;
}

const BINDINGS = { q: 'read', k_cache: 'read', records: 'write' } as const;

/**
 * Softmax weights of four rows against 16 keys per lane, without workgroup memory or barriers: fast on software adapters,
 * where a barrier is expensive. Any number of query tokens; `attentionValues` follows.
 *
 * q [tokens, heads, head_dim], k_cache [context, kv_heads, head_dim], optional key_bias [context, kv_heads] f32 -> records (shaders/attention/attention-scores.wgsl)
 */
export const attentionScores = defineKernel({
  name: 'attention-scores',
  bindings: { ...BINDINGS, key_bias: 'read' },
  bindingsOf: ({ biased }) => (biased ? { ...BINDINGS, key_bias: 'read' } : BINDINGS),
  params: ATTENTION_ROWS_PARAMS,
  variants: cross({ scalar: SCALARS, biased: [false, true], wg: [8, 64] }),
  parts: ({ scalar, biased }) => [
    scalarPrelude(scalar),
    gridPart,
    attentionRowsPart,
    render(softwarePart('attention/attention-scores'), { biased }),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, biased, wg }) => `attention-scores/${scalar}/wg${wg}${biased ? '/biased' : ''}`,
  grid: (size: UnfusedAttentionSize, { wg }) => foldGrid(size.groups ?? attentionScoresGroups(size, wg)),
});
