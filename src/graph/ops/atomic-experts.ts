import { activationCode, type Activation } from '../../kernels/core/activation.ts';
import { atomicCombine } from '../../kernels/atomic/atomic-combine.ts';
import { chooseSchedule, type AtomicSchedule } from '../../kernels/atomic/atomic-schedule.ts';
import { atomicScores } from '../../kernels/atomic/atomic-scores.ts';
import { atomicScoresGrouped } from '../../kernels/atomic/atomic-scores-grouped.ts';
import { inFormat } from '../../kernels/weights.ts';
import { dispatch, scalarOf, type Dispatch, type LowerContext, type Step } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Scalar, Tensor } from '../tensor.ts';
import { bindExperts, type ExpertBinding } from './expert-refs.ts';
import { pairSort } from './pair-sort.ts';

/** Inputs, outputs and attributes of the one-neuron experts of a layer. */
export interface AtomicExpertsIo {
  readonly x: Tensor; // [tokens, hidden]
  readonly ids: Tensor; // u32 [tokens, topK]
  readonly weights: Tensor; // f32 [tokens, topK]
  readonly y: Tensor; // [tokens, hidden]
  readonly bank: number; // index among the layers with experts
  readonly experts: number;
  readonly topK: number;
  readonly hidden: number;
  readonly activation: Activation;
  /** Default: chosen per step from the pairs per active expert (`chooseSchedule`). */
  readonly schedule?: AtomicSchedule | undefined;
}

/** y[t] = sum over ranks of weight * act(in . x[t]) * out, over the chosen one-neuron experts of each token (PEER, He 2024). */
export const atomicExpertsNode = defineCoreOp<AtomicExpertsIo>({
  name: 'atomic-experts',
  reads: ({ x, ids, weights }) => [x, ids, weights],
  writes: ({ y }) => [y],
  lower: lowerAtomic,
});

/** Data common to all dispatches of the op. */
interface Lowering {
  readonly context: LowerContext;
  readonly io: AtomicExpertsIo;
  readonly bound: ExpertBinding;
  readonly neurons: Tensor; // [tokens, topK] (activation, slot)
  readonly pageExperts: number;
}

/** Lowers both schedules if the sizes of steps may call for either; each step runs one of them. */
function lowerAtomic(context: LowerContext, io: AtomicExpertsIo): Dispatch[] {
  const { topK, experts, schedule } = io;
  const bound = bindExperts(context, io.bank);
  const lowering: Lowering = {
    context,
    io,
    bound,
    neurons: context.scratch('neurons', { type: 'u32', perToken: 2 * topK }),
    pageExperts: experts / (context.experts?.units(io.bank) ?? 1),
  };
  const { adapterClass } = context;
  const chosen = (tokens: number) => schedule ?? chooseSchedule({ tokens, topK, experts, adapterClass });
  const runs = (wanted: AtomicSchedule) => (step: Step) => chosen(step.tokens) === wanted;
  const isMixed = chosen(1) !== chosen(context.maxTokens);
  const only = (wanted: AtomicSchedule, list: () => Dispatch[]): Dispatch[] => {
    if (isMixed) return list().map((one) => ({ ...one, isNeeded: runs(wanted) }));
    return chosen(1) === wanted ? list() : [];
  };
  return [
    ...only('tokens', () => [scoresByToken(lowering)]),
    ...only('experts', () => scoresByExpert(lowering)),
    combine(lowering),
  ];
}

/** The variants for the formats and pools of a layer. */
function fittingVariants<
  V extends { readonly scalar: string; readonly format: string; readonly pools: number },
>(kernel: { readonly variants: readonly V[] }, { bound }: Lowering, stored: Scalar, part: 'in' | 'out'): V[] {
  return inFormat(kernel, bound.format(part)).filter(
    ({ scalar, pools }) => scalar === stored && pools === bound.pools,
  );
}

function shapeOf({ io, bound }: Lowering, part: 'in' | 'out'): string {
  return `${io.hidden} top ${io.topK} ${bound.format(part)} pools ${bound.pools}`;
}

function scoreParams({ io, bound, pageExperts }: Lowering) {
  return {
    hidden: io.hidden,
    top_k: io.topK,
    act: activationCode(io.activation),
    page_experts: pageExperts,
    table_base: bound.tableBase,
    slot_vec4: bound.slotVec4,
    in_base: bound.at('in'),
    in_scales: bound.scales('in'),
  };
}

/** The records of all pages. No waves: the sum of a token runs over its experts in rank order, across pages. */
function recordsOf({ io }: Lowering) {
  return { bank: io.bank, inWaves: false };
}

/** Scores by token: each pair reads the input vector of its expert. For few pairs per active expert. */
function scoresByToken(lowering: Lowering): Dispatch {
  const { context, io, bound, neurons } = lowering;
  const { x, ids, topK, hidden } = io;
  return context.choose(
    atomicScores,
    fittingVariants(atomicScores, lowering, context.scalar, 'in'),
    shapeOf(lowering, 'in'),
    (variant) =>
      dispatch(atomicScores, variant, {
        buffers: { x, ids, table: bound.table, neurons, ...bound.poolBuffers },
        params: ({ tokens }) => ({ ...scoreParams(lowering), tokens }),
        size: ({ tokens }) => ({ tokens, topK, hidden }),
        records: recordsOf(lowering),
        work: ({ tokens }) => tokens * topK * hidden,
      }),
  );
}

/** Scores by expert: pairs are sorted by expert, and each input vector is read once. */
function scoresByExpert(lowering: Lowering): Dispatch[] {
  const { context, io, bound, neurons } = lowering;
  const { x, ids, topK, experts, hidden } = io;
  const { sorted, dispatches } = pairSort(context, { ids, perToken: topK, experts });
  const candidates = fittingVariants(atomicScoresGrouped, lowering, context.scalar, 'in');
  return [
    ...dispatches,
    context.choose(atomicScoresGrouped, candidates, shapeOf(lowering, 'in'), (variant) =>
      dispatch(atomicScoresGrouped, variant, {
        buffers: { x, sorted, table: bound.table, neurons, ...bound.poolBuffers },
        params: ({ tokens }) => ({ ...scoreParams(lowering), pairs: tokens * topK }),
        size: ({ tokens }) => ({ pairs: tokens * topK, hidden }),
        records: recordsOf(lowering),
        work: ({ tokens }) => tokens * topK * hidden,
      }),
    ),
  ];
}

/** Sums the output vectors of each token's experts, in rank order. */
function combine(lowering: Lowering): Dispatch {
  const { context, io, bound, neurons, pageExperts } = lowering;
  const { ids, weights, y, topK, hidden } = io;
  const candidates = fittingVariants(atomicCombine, lowering, scalarOf(y, context), 'out');
  return context.choose(atomicCombine, candidates, shapeOf(lowering, 'out'), (variant) =>
    dispatch(atomicCombine, variant, {
      buffers: { neurons, ids, weights, y, ...bound.poolBuffers },
      params: ({ tokens }) => ({
        tokens,
        hidden,
        top_k: topK,
        page_experts: pageExperts,
        slot_vec4: bound.slotVec4,
        out_base: bound.at('out'),
        out_scales: bound.scales('out'),
      }),
      size: ({ tokens }) => ({ tokens, hidden }),
      records: recordsOf(lowering),
      work: ({ tokens }) => tokens * topK * hidden,
    }),
  );
}
