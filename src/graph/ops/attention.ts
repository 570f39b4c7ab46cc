import {
  attention,
  attentionForm,
  attentionSplits,
  MAX_HEAD_DIM,
  partialsWords,
} from '../../kernels/attention/attention.ts';
import { attentionCombine } from '../../kernels/attention/attention-combine.ts';
import {
  attentionRecordsWords,
  attentionScores,
  attentionScoresGroups,
  attentionScoresWork,
} from '../../kernels/attention/attention-scores.ts';
import {
  attentionTiled,
  attentionTiledGroups,
  attentionTiledWork,
} from '../../kernels/attention/attention-tiled.ts';
import {
  attentionValues,
  attentionValuesGroups,
  attentionValuesWork,
} from '../../kernels/attention/attention-values.ts';
import { dispatch, type Dispatch, type LowerContext, type Step } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import { inPieces, type Piece } from '../pieces.ts';
import type { Tensor, Weight } from '../tensor.ts';

/** Heads of attention: `heads / kvHeads` query heads share a key head. */
export interface HeadShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Inputs, outputs and attributes of attention. */
export interface AttentionIo extends HeadShape {
  readonly q: Tensor;
  readonly kCache: Tensor;
  readonly vCache: Tensor;
  readonly o: Tensor; // [tokens, heads, headDim]
  readonly scale: number;
  readonly window: number; // 0: all keys
  readonly chunk?: number | undefined; // instead of a window: keys of a token's own chunk of positions; 0, the default: all keys
  readonly sinks?: Weight | undefined; // f32 [heads]: scores of a key without a value
  readonly keyBias?: Tensor | undefined; // f32 state [contextTokens, kvHeads]: added to the scores of a key; not with sinks
}

/** Causal grouped-query attention of the step's tokens over the KV cache. */
export const attentionNode = defineCoreOp<AttentionIo>({
  name: 'attention',
  reads: ({ q, kCache, vCache, sinks, keyBias }) => [q, kCache, vCache, sinks, keyBias],
  writes: ({ o }) => [o],
  lower: lowerAttention,
});

/** The form of the scores of a node, and what its kernels are given for it. */
function scoresOf({ sinks, keyBias }: AttentionIo) {
  const isSame = (variant: { readonly sinks: boolean; readonly biased: boolean }) =>
    variant.sinks === (sinks !== undefined) && variant.biased === (keyBias !== undefined);
  const bias = keyBias ? { key_bias: keyBias } : {};
  return { isSame, bias, given: { ...(sinks ? { sinks } : {}), ...bias } };
}

/** Maximum size of the records of scores, which grow with tokens * keys, for offering `pair`. */
const MAX_RECORD_BYTES = 32 * 2 ** 20;

function lowerAttention(context: LowerContext, io: AttentionIo): readonly Dispatch[] {
  const { heads, kvHeads, headDim } = io;
  const pairWords = attentionRecordsWords({
    tokens: context.maxTokens,
    past: context.contextTokens - context.maxTokens,
    heads,
    kvHeads,
  });
  const shape = `${heads}/${kvHeads}x${headDim} of ${context.contextTokens}`;
  const isMany = context.maxTokens > FEW_TOKENS;
  const few: Ways = headDim <= MAX_HEAD_DIM ? { spans: () => spans(context, io) } : {};
  const fused: Ways = isMany ? { tiles: () => tiles(context, io) } : few;
  const unfused: Ways = 4 * pairWords <= MAX_RECORD_BYTES ? { pair: () => pair(context, io, pairWords) } : {};
  // Barriers are expensive on software adapters.
  const ordered = context.adapterClass === 'software' ? { ...unfused, ...fused } : { ...fused, ...unfused };
  return context.chooseWay('attention way', shape, ordered);
}

type Ways = Readonly<Record<string, () => readonly Dispatch[]>>;

/** Maximum number of query tokens that read the keys separately; more tokens share tiles of keys. */
const FEW_TOKENS = 8;

/** Tiles of query rows against tiles of keys, in workgroup memory. */
function tiles(context: LowerContext, io: AttentionIo): readonly Dispatch[] {
  const { q, kCache, vCache, o, heads, kvHeads, headDim, scale, window, chunk = 0 } = io;
  const { isSame, given } = scoresOf(io);
  // Whole heads first; smaller variants divide a larger head into parts and compute its scores for each.
  const candidates = attentionTiled.variants
    .filter(({ scalar, dims }) => scalar === context.scalar && (dims === 128 || headDim > 128))
    .filter(isSame)
    .sort((a, b) => b.dims - a.dims);
  const shape = `${heads}/${kvHeads}x${headDim}`;
  const whole = ({ tokens, past }: Step) => ({ tokens, past, heads, kvHeads, headDim });
  const cutOf = (dims: number) => (step: Step) => ({
    count: attentionTiledGroups(whole(step), dims),
    each: attentionTiledWork(whole(step), dims),
  });
  return context.choosePieces(attentionTiled, candidates, shape, (variant) =>
    inPieces(context, cutOf(variant.dims), (pieceOf) =>
      dispatch(attentionTiled, variant, {
        buffers: { q, k_cache: kCache, v_cache: vCache, o, ...given },
        params: (step) => ({
          tokens: step.tokens,
          past: step.past,
          heads,
          kv_heads: kvHeads,
          head_dim: headDim,
          scale,
          window,
          chunk,
          first_group: pieceOf(step).first,
        }),
        size: (step) => ({ ...whole(step), groups: pieceOf(step).count }),
      }),
    ),
  );
}

/** Scores, then values, without workgroup memory. */
function pair(context: LowerContext, io: AttentionIo, words: number): Dispatch[] {
  const { q, kCache, vCache, o, heads, kvHeads, headDim, scale, window, chunk = 0, sinks } = io;
  const records = context.scratch('records', { type: 'f32', fixed: words });
  const shape = `${heads}/${kvHeads}x${headDim} of ${context.contextTokens}`;
  const params = ({ tokens, past }: Step, { first }: Piece) => ({
    tokens,
    past,
    heads,
    kv_heads: kvHeads,
    head_dim: headDim,
    scale,
    window,
    chunk,
    first_group: first,
  });
  const whole = ({ tokens, past }: Step) => ({ tokens, past, heads, kvHeads, headDim });
  const { bias } = scoresOf(io);
  const isOfScalar = ({ scalar }: { scalar: string }) => scalar === context.scalar;
  const scores = context.choosePieces(
    attentionScores,
    attentionScores.variants.filter(isOfScalar).filter(({ biased }) => biased === (io.keyBias !== undefined)),
    shape,
    (variant) => {
      const cut = (step: Step) => ({
        count: attentionScoresGroups(whole(step), variant.wg),
        each: attentionScoresWork(whole(step), variant.wg),
      });
      return inPieces(context, cut, (pieceOf) =>
        dispatch(attentionScores, variant, {
          buffers: { q, k_cache: kCache, records, ...bias },
          params: (step) => params(step, pieceOf(step)),
          size: (step) => ({ ...whole(step), groups: pieceOf(step).count }),
        }),
      );
    },
  );
  const values = context.choosePieces(
    attentionValues,
    attentionValues.variants.filter(isOfScalar).filter((variant) => variant.sinks === (sinks !== undefined)),
    shape,
    (variant) => {
      const cut = (step: Step) => ({
        count: attentionValuesGroups(whole(step), variant.wg),
        each: attentionValuesWork(whole(step), variant.wg),
      });
      return inPieces(context, cut, (pieceOf) =>
        dispatch(attentionValues, variant, {
          buffers: { records, v_cache: vCache, o, ...(sinks ? { sinks } : {}) },
          params: (step) => params(step, pieceOf(step)),
          size: (step) => ({ ...whole(step), groups: pieceOf(step).count }),
        }),
      );
    },
  );
  return [...scores, ...values];
}

/** One dispatch for short pasts; for long ones, keys are divided into spans and a second dispatch combines them. */
function spans(context: LowerContext, io: AttentionIo): Dispatch[] {
  const { q, kCache, vCache, o, heads, kvHeads, headDim, scale, window, chunk = 0 } = io;
  const { isSame, given } = scoresOf(io);
  const { rows, dims } = attentionForm(io);
  const perSpan = kvHeads * Math.ceil(heads / kvHeads / rows);
  const splitsAt = ({ tokens, past }: Step) => attentionSplits(past + tokens, perSpan * tokens);
  const mostSplits = attentionSplits(context.contextTokens, perSpan);
  const params = (step: Step, splits: number) => ({
    tokens: step.tokens,
    past: step.past,
    heads,
    kv_heads: kvHeads,
    head_dim: headDim,
    scale,
    window,
    chunk,
    splits,
  });
  const size = ({ tokens }: Step, splits: number) => ({ tokens, heads, kvHeads, headDim, splits });
  const work = ({ tokens, past }: Step) => 2 * tokens * (past + tokens) * heads * headDim;
  const variants = attention.variants
    .filter((variant) => variant.scalar === context.scalar && variant.rows === rows && variant.dims === dims)
    .filter(isSame);
  const shape = `${heads}/${kvHeads}x${headDim} of ${context.contextTokens}`;
  const whole = context.choose(
    attention,
    variants.filter(({ split }) => !split),
    shape,
    (variant) =>
      dispatch(attention, variant, {
        buffers: { q, k_cache: kCache, v_cache: vCache, o, ...given },
        params: (step) => params(step, 1),
        size: (step) => size(step, 1),
        work,
        isNeeded: (step) => splitsAt(step) === 1,
      }),
  );
  if (mostSplits === 1) return [whole];
  const words = partialsWords({ tokens: 1, heads, headDim, splits: mostSplits });
  const partials = context.scratch('partials', { type: 'f32', perToken: words });
  const isNeeded = (step: Step) => splitsAt(step) > 1;
  const split = context.choose(
    attention,
    variants.filter((variant) => variant.split),
    `${shape} split`,
    (variant) =>
      dispatch(attention, variant, {
        buffers: { q, k_cache: kCache, v_cache: vCache, partials, ...given },
        params: (step) => params(step, splitsAt(step)),
        size: (step) => size(step, splitsAt(step)),
        work,
        isNeeded,
      }),
  );
  return [whole, split, combineSpans(context, io, { partials, shape, splitsAt })];
}

/** Combines the partial outputs of spans; not needed with one span. */
function combineSpans(
  context: LowerContext,
  { o, heads, headDim }: AttentionIo,
  { partials, shape, splitsAt }: { partials: Tensor; shape: string; splitsAt: (step: Step) => number },
): Dispatch {
  return context.choose(
    attentionCombine,
    attentionCombine.variants.filter(({ scalar }) => scalar === context.scalar),
    shape,
    (variant) =>
      dispatch(attentionCombine, variant, {
        buffers: { partials, o },
        params: (step) => ({ rows: step.tokens * heads, head_dim: headDim, splits: splitsAt(step) }),
        size: ({ tokens }) => ({ rows: tokens * heads }),
        isNeeded: (step) => splitsAt(step) > 1,
      }),
  );
}
