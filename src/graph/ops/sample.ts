import { logitsPenalty, seenWords } from '../../kernels/sample/logits-penalty.ts';
import {
  BLOCK_WORDS,
  sampleBlocks,
  sampleBlocksKernel,
  samplePick,
  sampleRank,
} from '../../kernels/sample/sample.ts';
import { recordWords } from '../../kernels/sample/sample-record.ts';
import { seenMark } from '../../kernels/sample/seen-mark.ts';
import type { GraphBuilder } from '../builder.ts';
import { dispatch, type Dispatch, type LowerContext, type Step } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Tensor } from '../tensor.ts';

export { NOT_FINITE, parseRecord, type Candidates } from '../../kernels/sample/sample-record.ts';

/** Number of candidates in a sample record. If they do not cover the sampling options, all logits are read. */
export const CANDIDATES = 64;

/** Size of a sample record in bytes. */
export const SAMPLE_RECORD_BYTES = 4 * recordWords(CANDIDATES);

/** Name of the state with the tokens seen by the repetition penalty, one bit each. */
export const SEEN = 'seen';

/** The words of that state for a set of seen tokens. */
export function markSeen(vocab: number, ids: Iterable<number>): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(seenWords(vocab));
  for (const id of ids) words[id >>> 5] = (words[id >>> 5] ?? 0) | (1 << (id & 31));
  return words;
}

/** Inputs of sampling: logits, and the vocabulary of the seen tokens. */
export interface SampleIo {
  readonly ids: Tensor;
  readonly logits: Tensor; // f32, one row
  readonly vocab: number;
}

/** Adds the repetition penalty and the sample record of the logits. @returns the record, u32 (kernels/sample/sample-record.ts) */
export function sampleNodes(builder: GraphBuilder, io: SampleIo): Tensor {
  const seen = builder.tensor(SEEN, { type: 'u32', role: 'state', fixed: seenWords(io.vocab) });
  const record = builder.tensor('record', { type: 'u32', role: 'output', fixed: recordWords(CANDIDATES) });
  builder.add(penaltyNode('logits', { ...io, seen }));
  builder.add(sampleNode('logits', { logits: io.logits, vocab: io.vocab, record }));
  return record;
}

/** Whether a step has a repetition penalty. */
export const isPenalised = ({ penalty }: Step) => penalty !== 1;

/** Inputs and state of the repetition penalty. */
export interface PenaltyIo extends SampleIo {
  readonly seen: Tensor; // state, u32: one bit per token
}

/** Marks the step's tokens as seen, and applies the repetition penalty (CTRL, Keskar et al. 2019) to all seen tokens. */
export const penaltyNode = defineCoreOp<PenaltyIo>({
  name: 'repetition-penalty',
  reads: ({ ids, logits, seen }) => [ids, logits, seen],
  writes: ({ logits, seen }) => [logits, seen],
  lower: (context, { ids, logits, vocab, seen }) => [
    context.choose(seenMark, seenMark.variants, `${vocab}`, (variant) =>
      dispatch(seenMark, variant, {
        buffers: { ids, seen },
        params: ({ tokens }) => ({ first: 0, count: tokens, vocab }),
        size: ({ tokens }) => ({ count: tokens }),
        isNeeded: isPenalised,
      }),
    ),
    context.choose(logitsPenalty, logitsPenalty.variants, `${vocab}`, (variant) =>
      dispatch(logitsPenalty, variant, {
        buffers: { seen, logits },
        params: ({ penalty }) => ({ vocab, penalty }),
        size: () => ({ vocab }),
        isNeeded: isPenalised,
      }),
    ),
  ],
});

/** Input and output of a sample record. */
export interface RecordIo {
  readonly logits: Tensor; // f32, one row
  readonly vocab: number;
  readonly record: Tensor; // u32 (kernels/sample/sample-record.ts)
}

/** Computes a sample record: the best logits, and sums over all. */
export const sampleNode = defineCoreOp<RecordIo>({
  name: 'sample',
  reads: ({ logits }) => [logits],
  writes: ({ record }) => [record],
  lower: lowerRecord,
});

function lowerRecord(context: LowerContext, io: RecordIo): Dispatch[] {
  const { logits, vocab, record } = io;
  const blocks = sampleBlocks(vocab);
  const found = context.scratch('blocks', { type: 'u32', fixed: BLOCK_WORDS * blocks });
  const ranked = context.scratch('ranked', { type: 'u32', fixed: CANDIDATES });
  const shape = `${vocab}`;
  const params = ({ temperature }: Step) => ({ vocab, blocks, inverse_temperature: 1 / temperature });
  const size = () => ({ vocab });
  const withCount = <V extends { readonly candidates: number }>(variants: readonly V[]) =>
    variants.filter(({ candidates }) => candidates === CANDIDATES);
  return [
    context.choose(sampleBlocksKernel, sampleBlocksKernel.variants, shape, (variant) =>
      dispatch(sampleBlocksKernel, variant, { buffers: { logits, found }, params, size }),
    ),
    context.choose(sampleRank, withCount(sampleRank.variants), shape, (variant) =>
      dispatch(sampleRank, variant, { buffers: { found, ranked, record }, params, size }),
    ),
    context.choose(samplePick, withCount(samplePick.variants), shape, (variant) =>
      dispatch(samplePick, variant, {
        buffers: { logits, found, ranked, record },
        params: () => ({ vocab, blocks }),
        size,
        isNeeded: ({ candidates }) => candidates,
      }),
    ),
  ];
}
