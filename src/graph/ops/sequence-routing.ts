/** Ops of routing rules that couple the tokens of a sequence. */
import {
  capacity,
  capacityParams,
  MAX_CAPACITY_EXPERTS,
  type CapacityRule,
} from '../../kernels/routing/capacity.ts';
import {
  expertChoice,
  expertChoiceParams,
  type ExpertChoiceRule,
} from '../../kernels/routing/expert-choice.ts';
import type { Division } from '../../kernels/routing/sequence.ts';
import { attentionReceived } from '../../kernels/routing/attention-received.ts';
import { mixTokens } from '../../kernels/routing/mix-tokens.ts';
import { protectTokens } from '../../kernels/routing/protect-tokens.ts';
import { sinkhorn } from '../../kernels/routing/sinkhorn.ts';
import { AtomoeError } from '../../errors.ts';
import { dispatch } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Ref, Tensor } from '../tensor.ts';

/** The sequences of a step's tokens. */
export interface Sequences {
  readonly offsets: Tensor; // u32 [count + 1]: not decreasing, from 0 to the number of tokens
  readonly count: number;
}

interface OfSequences {
  readonly sequences?: Sequences | undefined; // default: all tokens are one sequence
}

/** Inputs, outputs and attributes of Sinkhorn's iteration. */
export interface SinkhornIo extends OfSequences {
  readonly values: Tensor; // f32 [tokens, experts]
  readonly balanced: Tensor; // f32 [tokens, experts]
  readonly experts: number;
  readonly iterations: number; // at least 1
  readonly temperature: number; // above 0
}

/** Inputs, outputs and attributes of a choice by experts. */
export interface ExpertChoiceIo extends OfSequences {
  readonly values: Tensor; // f32 [tokens, experts]: selection values
  readonly given: Tensor; // u32 [tokens, experts]: ids for a rule by given ids
  readonly experts: number;
  readonly across?: { readonly raw: Tensor; readonly shares: Tensor } | undefined; // f32 [tokens, experts], if the rule has it
  readonly rule: ExpertChoiceRule;
}

/** Inputs, outputs and attributes of experts of limited room. */
export interface CapacityIo extends OfSequences {
  readonly ids: Tensor; // u32 [tokens, k]
  readonly values: Tensor; // f32 [tokens, experts]: selection values
  readonly given: Tensor; // u32 [tokens, capacityPlaces]: ids for a rule by given ids
  readonly experts: number;
  readonly k: number;
  readonly rule: CapacityRule;
}

/** Inputs and output of scores mixed over tokens. */
export interface MixTokensIo {
  readonly links: Tensor; // f32 [tokens, perToken]
  readonly values: Tensor; // f32 [tokens, experts]
  readonly y: Tensor; // f32 [tokens, experts]
  readonly experts: number;
}

/** Input and output of the attention that tokens receive. */
export interface AttentionReceivedIo extends OfSequences {
  readonly links: Tensor; // f32 [tokens, perToken]
  readonly importance: Tensor; // f32 [tokens]
}

/** Input, output and shares of tokens that are protected from a filter. */
export interface ProtectTokensIo extends OfSequences {
  readonly values: Tensor; // f32 [tokens]
  readonly protection: Tensor; // u32 [tokens]
  readonly top: number; // share of a sequence's tokens that keep all
  readonly bottom: number; // share that lose all
}

const divisionOf = ({ sequences }: OfSequences): Division => (sequences ? 'offsets' : 'one');

const countOf = ({ sequences }: OfSequences): number => sequences?.count ?? 1;

const offsetsOf = ({ sequences }: OfSequences): Record<string, Ref> =>
  sequences ? { offsets: sequences.offsets } : {};

/** exp(v / temperature) of each sequence, with columns scaled to equal sums and rows to 1 in turn. */
export const sinkhornNode = defineCoreOp<SinkhornIo>({
  name: 'sinkhorn',
  reads: ({ values, sequences }) => [values, sequences?.offsets],
  writes: ({ balanced }) => [balanced],
  lower(context, io) {
    const { values, balanced, experts, iterations, temperature } = io;
    checkExperts(experts);
    const rows = context.scratch('rows', { type: 'f32', perToken: 1 });
    const sequences = countOf(io);
    const variants = sinkhorn.variants.filter(({ division }) => division === divisionOf(io));
    return [
      context.choose(sinkhorn, variants, `${experts}`, (variant) =>
        dispatch(sinkhorn, variant, {
          buffers: { values, rows, balanced, ...offsetsOf(io) },
          params: ({ tokens }) => ({ tokens, experts, sequences, iterations, temperature }),
          size: () => ({ sequences }),
        }),
      ),
    ];
  },
});

/** Each expert takes the tokens of a sequence with the largest values. */
export const expertChoiceNode = defineCoreOp<ExpertChoiceIo>({
  name: 'expert-choice',
  reads: ({ values, across, sequences }) => [values, across?.raw, sequences?.offsets],
  writes: ({ given, across }) => (across ? [given, across.shares] : [given]),
  lower(context, io) {
    const { values, given, across, experts, rule } = io;
    const keys = context.scratch('keys', { type: 'f32', perToken: experts });
    const sequences = countOf(io);
    const kind = across && rule.across ? rule.across.normalise : 'none';
    const variants = expertChoice.variants.filter(
      (each) => each.across === kind && each.division === divisionOf(io),
    );
    return [
      context.choose(expertChoice, variants, `${kind} ${experts}`, (variant) =>
        dispatch(expertChoice, variant, {
          buffers: { values, keys, given, ...across, ...offsetsOf(io) },
          params: ({ tokens }) => expertChoiceParams(rule, { tokens, experts, sequences }),
          size: () => ({ experts, sequences }),
        }),
      ),
    ];
  },
});

/** Places the choices of each sequence into experts of limited room. */
export const capacityNode = defineCoreOp<CapacityIo>({
  name: 'capacity',
  reads: ({ ids, values, sequences }) => [ids, values, sequences?.offsets],
  writes: ({ given }) => [given],
  lower(context, io) {
    const { ids, values, given, experts, k, rule } = io;
    checkExperts(experts);
    const sequences = countOf(io);
    const variants = capacity.variants.filter(
      ({ overflow, fill, division }) =>
        overflow === rule.overflow && fill === rule.fill && division === divisionOf(io),
    );
    return [
      context.choose(capacity, variants, `${rule.overflow} ${experts} top ${k}`, (variant) =>
        dispatch(capacity, variant, {
          buffers: { ids, values, given, ...offsetsOf(io) },
          params: ({ tokens }) => capacityParams(rule, { tokens, experts, k, sequences }),
          size: () => ({ sequences }),
        }),
      ),
    ];
  },
});

/** The scores of tokens, mixed by links between them. */
export const mixTokensNode = defineCoreOp<MixTokensIo>({
  name: 'mix-tokens',
  reads: ({ links, values }) => [links, values],
  writes: ({ y }) => [y],
  lower: (context, { links, values, y, experts }) => [
    context.choose(mixTokens, mixTokens.variants, `${experts}`, (variant) =>
      dispatch(mixTokens, variant, {
        buffers: { links, values, y },
        params: ({ tokens }) => ({ tokens, experts, width: links.perToken }),
        size: ({ tokens }) => ({ elements: tokens * experts }),
      }),
    ),
  ],
});

/** The attention that each token receives, relative to the most of its sequence. */
export const attentionReceivedNode = defineCoreOp<AttentionReceivedIo>({
  name: 'attention-received',
  reads: ({ links, sequences }) => [links, sequences?.offsets],
  writes: ({ importance }) => [importance],
  lower(context, io) {
    const sequences = countOf(io);
    const variants = attentionReceived.variants.filter(({ division }) => division === divisionOf(io));
    return [
      context.choose(attentionReceived, variants, '', (variant) =>
        dispatch(attentionReceived, variant, {
          buffers: { links: io.links, importance: io.importance, ...offsetsOf(io) },
          params: ({ tokens }) => ({ tokens, sequences, width: io.links.perToken }),
          size: () => ({ sequences }),
        }),
      ),
    ];
  },
});

/** The tokens that a filter by ratio leaves alone, or empties. */
export const protectTokensNode = defineCoreOp<ProtectTokensIo>({
  name: 'protect-tokens',
  reads: ({ values, sequences }) => [values, sequences?.offsets],
  writes: ({ protection }) => [protection],
  lower(context, io) {
    const { values, protection, top, bottom } = io;
    const sequences = countOf(io);
    const variants = protectTokens.variants.filter(({ division }) => division === divisionOf(io));
    return [
      context.choose(protectTokens, variants, '', (variant) =>
        dispatch(protectTokens, variant, {
          buffers: { values, protection, ...offsetsOf(io) },
          params: ({ tokens }) => ({ tokens, sequences, top, bottom }),
          size: () => ({ sequences }),
        }),
      ),
    ];
  },
});

/** @throws {AtomoeError} unsupported-model - more experts than the kernels' workgroup memory has room for */
function checkExperts(experts: number): void {
  if (experts <= MAX_CAPACITY_EXPERTS) return;
  throw new AtomoeError(
    'unsupported-model',
    `a rule over the tokens of a sequence with ${experts} experts; the GPU's kernels have at most ${MAX_CAPACITY_EXPERTS}, use the CPU`,
  );
}
