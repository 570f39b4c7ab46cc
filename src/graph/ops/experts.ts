import { activationCode, type GluActivation } from '../../kernels/core/activation.ts';
import { expertCombine } from '../../kernels/experts/expert-combine.ts';
import { expertDown, expertDownPairs } from '../../kernels/experts/expert-down.ts';
import { expertGateUp } from '../../kernels/experts/expert-gate-up.ts';
import { expertDownTiled, expertGateUpTiled } from '../../kernels/experts/expert-tiled.ts';
import type { GluTileVariant } from '../../kernels/experts/glu-forms.ts';
import { maxTiles, sparseDispatch, tilesWords } from '../../kernels/experts/sparse-dispatch.ts';
import { inFormat } from '../../kernels/weights.ts';
import { invariant } from '../../errors.ts';
import { isSoftwareForm } from '../candidates.ts';
import { dispatch, plainStep, scalarOf, type Dispatch, type LowerContext, type Step } from '../node.ts';
import { maxMultiplyAdds, pieceOf, pieceSize, type Cut } from '../pieces.ts';
import type { Tensor } from '../tensor.ts';
import { bindExperts } from './expert-refs.ts';

/** Inputs, outputs and attributes of the gated experts of a layer. */
export interface ExpertsIo {
  readonly x: Tensor; // [tokens, hidden]
  readonly ids: Tensor; // u32 [tokens, topK]
  readonly weights: Tensor; // f32 [tokens, topK]
  readonly y: Tensor; // [tokens, hidden]
  readonly bank: number; // index among the layers with experts
  readonly experts: number;
  readonly topK: number;
  readonly hidden: number;
  readonly width: number;
  readonly activation: GluActivation;
  /** The part of the records that is the gate; `up` for experts without one. Default: gate. */
  readonly gatePart?: 'gate' | 'up';
  readonly biased?: boolean; // whether the records have biases; default: false
}

/** For few tokens: one dispatch for the first halves of the chosen experts, one for their second halves and the weighted sum. */
export function fewTokens(context: LowerContext, io: ExpertsIo): Dispatch[] {
  const { x, ids, bank, experts, topK, hidden, width, activation, biased = false } = io;
  const bound = bindExperts(context, bank);
  const { pools, poolBuffers, table } = bound;
  const format = bound.format(io.gatePart ?? 'gate', 'up');
  const h = context.scratch('hidden of experts', { type: 'f32', perToken: topK * width });
  const shape = `${experts}x${width}x${hidden} top ${topK} ${format} pools ${pools}`;
  const candidates = inFormat(expertGateUp, format).filter(
    (variant) => variant.scalar === context.scalar && variant.pools === pools && variant.biased === biased,
  );
  const common = {
    top_k: topK,
    experts,
    hidden,
    width,
    table_base: bound.tableBase,
    slot_vec4: bound.slotVec4,
  };
  return [
    context.choose(expertGateUp, candidates, shape, (variant) =>
      dispatch(expertGateUp, variant, {
        buffers: { x, ids, table, h, ...poolBuffers },
        params: ({ tokens }) => ({
          ...common,
          tokens,
          act: activationCode(activation),
          gate: bound.at(io.gatePart ?? 'gate'),
          up: bound.at('up'),
          gate_scales: bound.scales(io.gatePart ?? 'gate'),
          up_scales: bound.scales('up'),
          gate_bias: biased ? bound.at('gateBias') : 0,
          up_bias: biased ? bound.at('upBias') : 0,
        }),
        size: ({ tokens }) => ({ pairs: tokens * topK, hidden, width }),
        records: { bank, inWaves: false },
        work: ({ tokens }) => 2 * tokens * topK * hidden * width,
      }),
    ),
    ...downAndSum(context, io, h),
  ];
}

/** The second halves and the weighted sum: one dispatch, or two if four pools leave no binding for the weights. */
function downAndSum(context: LowerContext, io: ExpertsIo, h: Tensor): Dispatch[] {
  const { ids, weights, y, bank, experts, topK, hidden, width, biased = false } = io;
  const bound = bindExperts(context, bank);
  const { pools, poolBuffers, table, tableBase, slotVec4 } = bound;
  const format = bound.format('down');
  const shape = `${experts}x${width}x${hidden} top ${topK} ${format} pools ${pools}`;
  const common = {
    experts,
    hidden,
    width,
    table_base: tableBase,
    slot_vec4: slotVec4,
    down: bound.at('down'),
    down_scales: bound.scales('down'),
    down_bias: biased ? bound.at('downBias') : 0,
  };
  if (pools === 1) {
    const candidates = inFormat(expertDown, format).filter(
      (variant) => variant.scalar === scalarOf(y, context) && variant.biased === biased,
    );
    return [
      context.choose(expertDown, candidates, shape, (variant) =>
        dispatch(expertDown, variant, {
          buffers: { h, ids, weights, table, y, ...poolBuffers },
          params: ({ tokens }) => ({ ...common, tokens, top_k: topK }),
          size: ({ tokens }) => ({ tokens, hidden, width }),
          records: { bank, inWaves: false },
          work: ({ tokens }) => tokens * topK * hidden * width,
        }),
      ),
    ];
  }
  const out = context.scratch('outputs of experts', { type: 'f32', perToken: topK * hidden });
  const candidates = inFormat(expertDownPairs, format).filter((variant) => variant.biased === biased);
  return [
    context.choose(expertDownPairs, candidates, shape, (variant) =>
      dispatch(expertDownPairs, variant, {
        buffers: { h, ids, table, out, ...poolBuffers },
        params: ({ tokens }) => ({ ...common, pairs: tokens * topK }),
        size: ({ tokens }) => ({ pairs: tokens * topK, hidden, width }),
        records: { bank, inWaves: false },
        work: ({ tokens }) => tokens * topK * hidden * width,
      }),
    ),
    combine(context, io, out, undefined),
  ];
}

/** y[t] = sum over ranks of weight * out, whose rows are in the order of pairs, or at `place`. */
function combine(context: LowerContext, io: ExpertsIo, out: Tensor, place: Tensor | undefined): Dispatch {
  const { weights, y, topK, hidden } = io;
  const candidates = expertCombine.variants.filter(
    ({ scalar, sorted }) => scalar === scalarOf(y, context) && sorted === (place !== undefined),
  );
  return context.choose(expertCombine, candidates, `${hidden} top ${topK}`, (variant) =>
    dispatch(expertCombine, variant, {
      buffers: { out, weights, y, ...(place ? { place } : {}) },
      params: ({ tokens }) => ({ tokens, top_k: topK, hidden }),
      size: ({ tokens }) => ({ tokens, hidden }),
    }),
  );
}

/** For many tokens: pairs are sorted by expert and divided into tiles whose rows share each read of the expert's weights. */
export function manyTokens(context: LowerContext, io: ExpertsIo): readonly Dispatch[] {
  const { bank, experts, topK, hidden, width, biased = false } = io;
  const { format, pools } = bindExperts(context, bank);
  const [across, down] = [format(io.gatePart ?? 'gate', 'up'), format('down')];
  const forms = inFormat(expertGateUpTiled, across)
    .filter((variant) => variant.scalar === context.scalar && variant.pools === pools)
    .filter((variant) => variant.biased === biased)
    .filter((variant) => context.adapterClass === 'software' || !isSoftwareForm(variant))
    .map(({ form }) => form);
  // Barriers are expensive on software adapters: independent lanes first.
  forms.sort((a, b) => Number(a === 'lane') - Number(b === 'lane'));
  if (context.adapterClass === 'software') forms.reverse();
  const formats = across === down ? across : `${across} ${down}`;
  const shape = `${experts}x${width}x${hidden} top ${topK} ${formats} pools ${pools}`;
  const ways = forms.map((form) => [form, () => tiled(context, io, form)] as const);
  return context.chooseWay('expert tiles', shape, Object.fromEntries(ways));
}

/** Sorts pairs by expert, divides them into tiles and counts these: the arguments of the indirect dispatches. */
function sortPairs(
  context: LowerContext,
  { ids, experts, topK }: ExpertsIo,
  { tileRows, groups }: { tileRows: number; groups: (step: Step) => number },
) {
  const words = (name: string, size: { perToken?: number; fixed?: number }) =>
    context.scratch(name, { type: 'u32', ...size });
  const counts = words('counts', { fixed: experts });
  const offsets = words('offsets', { fixed: experts + 1 });
  const sorted = words('sorted', { perToken: topK });
  const place = words('place', { perToken: topK });
  const mostPairs = context.maxTokens * topK;
  const tiles = words('tiles', { fixed: tilesWords({ pairs: mostPairs, experts }, tileRows) });
  const args = context.scratch('tile count', { type: 'u32', role: 'indirect', fixed: 3 });
  const fitting = sparseDispatch.variants.filter(({ capacity }) => experts <= capacity);
  const sort = context.choose(sparseDispatch, fitting, `${experts} top ${topK}`, (variant) =>
    dispatch(sparseDispatch, variant, {
      buffers: { ids, counts, offsets, sorted, place, tiles, args },
      params: (step) => ({
        pairs: step.tokens * topK,
        experts,
        tile_rows: tileRows,
        args_y: groups(step),
        args_z: 1,
      }),
      size: ({ tokens }) => ({ pairs: tokens * topK, experts }),
    }),
  );
  return { sort, tiles, place, args };
}

type MakePiece = (firstStrip: (step: Step) => number) => Dispatch;

/**
 * With many tokens, both halves of the experts are long and are divided into pieces of the same number of strips of outputs.
 * Both use the same arguments of indirect dispatches: strips past the end of the narrower half return at once.
 */
function stripPieces(
  context: LowerContext,
  { experts, topK, hidden, width }: ExpertsIo,
  { gateUp, down }: { readonly gateUp: GluTileVariant; readonly down: GluTileVariant },
) {
  const size = { tiles: 1, hidden, width };
  const outs = ({ form, outs: perStrip, wg }: GluTileVariant) => 2 * perStrip * (form === 'lane' ? wg : 1);
  // Number of computed rows, including those of partial tiles.
  const rows = ({ tokens }: Step) =>
    maxTiles({ pairs: tokens * topK, experts }, gateUp.tileRows) * gateUp.tileRows;
  const gateUpCut = (step: Step): Cut => ({
    count: expertGateUpTiled.grid(size, gateUp)[1],
    each: rows(step) * hidden * outs(gateUp),
  });
  const downCut = (step: Step): Cut => ({
    count: expertDownTiled.grid(size, down)[1],
    each: rows(step) * width * outs(down),
  });
  const within = (step: Step, most: number) =>
    Math.min(pieceSize(gateUpCut(step), most), pieceSize(downCut(step), most));
  const strips = (step: Step) => within(step, maxMultiplyAdds(context, step));
  const longest = plainStep(context.maxTokens, 0);
  const piecesOf = (cut: (step: Step) => Cut) => (make: MakePiece) => {
    const { count } = cut(longest);
    return Array.from(
      { length: Math.ceil(count / within(longest, context.mostMultiplyAdds)) },
      (_, index) => {
        const piece = (step: Step) => pieceOf(count, strips(step), index);
        const work = (step: Step) => piece(step).count * cut(step).each;
        return {
          ...make((step) => piece(step).first),
          work,
          isNeeded: (step: Step) => piece(step).count > 0,
        };
      },
    );
  };
  return { strips, gateUpPieces: piecesOf(gateUpCut), downPieces: piecesOf(downCut) };
}

function tiled(context: LowerContext, io: ExpertsIo, form: 'lane' | 'staged'): Dispatch[] {
  const { x, bank, topK, hidden, width, activation, biased = false } = io;
  const bound = bindExperts(context, bank);
  const { format, pools, poolBuffers, table } = bound;
  const isForm = (variant: GluTileVariant) =>
    variant.form === form && variant.pools === pools && variant.biased === biased;
  const gateUp = inFormat(expertGateUpTiled, format(io.gatePart ?? 'gate', 'up')).find(
    (variant) => isForm(variant) && variant.scalar === context.scalar,
  );
  const down = inFormat(expertDownTiled, format('down')).find(isForm);
  invariant(gateUp && down, () => `no tiles of form ${form} for ${pools} pools`);
  const { tileRows } = gateUp;
  const h = context.scratch('hidden of experts', { type: 'f32', perToken: topK * width });
  const out = context.scratch('outputs of experts', { type: 'f32', perToken: topK * hidden });
  const size = { tiles: 1, hidden, width };
  const { strips, gateUpPieces, downPieces } = stripPieces(context, io, { gateUp, down });
  const { sort, tiles, place, args } = sortPairs(context, io, { tileRows, groups: strips });
  const common = { hidden, width, table_base: bound.tableBase, slot_vec4: bound.slotVec4 };
  return [
    sort,
    ...gateUpPieces((first_strip) =>
      dispatch(expertGateUpTiled, gateUp, {
        buffers: { x, tiles, table, h, ...poolBuffers },
        params: (step) => ({
          ...common,
          first_strip: first_strip(step),
          top_k: topK,
          act: activationCode(activation),
          gate: bound.at(io.gatePart ?? 'gate'),
          up: bound.at('up'),
          gate_scales: bound.scales(io.gatePart ?? 'gate'),
          up_scales: bound.scales('up'),
          gate_bias: biased ? bound.at('gateBias') : 0,
          up_bias: biased ? bound.at('upBias') : 0,
        }),
        size: () => size,
        indirect: args,
        records: { bank, inWaves: true },
      }),
    ),
    ...downPieces((first_strip) =>
      dispatch(expertDownTiled, down, {
        buffers: { h, tiles, table, out, ...poolBuffers },
        params: (step) => ({
          ...common,
          down: bound.at('down'),
          down_scales: bound.scales('down'),
          down_bias: biased ? bound.at('downBias') : 0,
          first_strip: first_strip(step),
        }),
        size: () => size,
        indirect: args,
        records: { bank, inWaves: true },
      }),
    ),
    combine(context, io, out, place),
  ];
}
