/** The CPU forms of the ops of routing rules; `references.ts` has the table. */
import { attentionReceivedReference } from '../kernels/routing/attention-received.reference.ts';
import { mixTokensReference } from '../kernels/routing/mix-tokens.reference.ts';
import { protectTokensReference } from '../kernels/routing/protect-tokens.reference.ts';
import { capacityReference } from '../kernels/routing/capacity.reference.ts';
import { expertChoiceReference } from '../kernels/routing/expert-choice.reference.ts';
import type { RouteInputs } from '../kernels/routing/route-token.reference.ts';
import { routeReference, routeScoresReference } from '../kernels/routing/route.reference.ts';
import { hookedGateReference } from '../kernels/routing/hooked-gate.reference.ts';
import { hookLogitsReference } from '../kernels/routing/hook-logits.reference.ts';
import { sinkhornReference } from '../kernels/routing/sinkhorn.reference.ts';
import { cellsReference } from '../kernels/routing/cells.reference.ts';
import { pairLinearReference } from '../kernels/routing/pair-linear.reference.ts';
import { unpackTernary } from '../kernels/routing/ternary-codes.ts';
import { expertRoomReference } from '../kernels/routing/expert-room.reference.ts';
import { heldRowsReference } from '../kernels/routing/held-rows.reference.ts';
import { promptRowsReference } from '../kernels/routing/prompt-rows.reference.ts';
import type { RunContext } from './node.ts';
import type { CellsIo, PairLinearIo } from './ops/cells.ts';
import type { HookedGateIo, HookLogitsIo } from './ops/hooks.ts';
import type { ExpertRoomIo, HeldRowsIo, PromptRowsIo } from './ops/kept-routing.ts';
import type { RouteInputTensors, RouteIo, RouteScoresIo } from './ops/route.ts';
import type {
  AttentionReceivedIo,
  CapacityIo,
  ExpertChoiceIo,
  MixTokensIo,
  ProtectTokensIo,
  Sequences,
  SinkhornIo,
} from './ops/sequence-routing.ts';
import { nextOf, type Tensor } from './tensor.ts';

/** Routes of a gate with hooks. */
export function hookedGateOp(context: RunContext, io: HookedGateIo): void {
  const { logits, bias, hooks, experts, topK, rule } = io;
  const factors = io.factors && context.weight(io.factors);
  const options = { tokens: context.step.tokens, experts, topK, rule, factors };
  const given = [context.floats(logits), context.weight(bias), context.words(hooks)] as const;
  const result = hookedGateReference(...given, options);
  context.put(io.ids, result.ids);
  context.put(io.weights, result.weights);
}

/** Router logits, changed by hooks. */
export function hookLogitsOp(context: RunContext, { logits, edits, experts }: HookLogitsIo): void {
  const size = { tokens: context.step.tokens, experts };
  context.put(logits, hookLogitsReference(context.floats(logits), context.floats(edits), size));
}

/** Routes and the outputs of a rule. */
export function routeOp(context: RunContext, io: RouteIo): void {
  const { scores, inputs, outputs = {}, experts, most, rule } = io;
  const sizes = { tokens: context.step.tokens, experts, most };
  const result = routeReference(context.floats(scores), rule, routeInputs(context, inputs), sizes);
  context.put(io.ids, result.ids);
  context.put(io.weights, result.weights);
  for (const name of ['affinities', 'logits', 'values', 'largest'] as const) {
    if (outputs[name]) context.put(outputs[name], result[name]);
  }
}

/** The outputs of the steps of a rule. */
export function routeScoresOp(
  context: RunContext,
  { scores, inputs, outputs, experts, rule }: RouteScoresIo,
): void {
  const sizes = { tokens: context.step.tokens, experts };
  const result = routeScoresReference(context.floats(scores), rule, routeInputs(context, inputs), sizes);
  for (const name of ['affinities', 'logits', 'largest'] as const) {
    if (outputs[name]) context.put(outputs[name], result[name]);
  }
}

function routeInputs(context: RunContext, inputs: RouteInputTensors = {}): RouteInputs {
  const floats = (tensor: Tensor | undefined) => tensor && context.floats(tensor);
  const words = (tensor: Tensor | undefined) => tensor && context.words(tensor);
  const { vectors } = inputs;
  return {
    vectors: vectors?.kind === 'weight' ? context.weight(vectors) : floats(vectors),
    request_vectors: floats(inputs.requestVectors),
    token_mask: floats(inputs.tokenMask),
    given_logits: floats(inputs.givenLogits),
    group_scores: floats(inputs.groupScores),
    given_ids: words(inputs.givenIds),
    importance: floats(inputs.importance),
    kinds: words(inputs.kinds),
    protection: words(inputs.protection),
    verdicts: floats(inputs.verdicts),
    raw_weights: floats(inputs.rawWeights),
  };
}

/** First and end of the sequences, if the tokens are divided. */
function offsetsOf(context: RunContext, sequences: Sequences | undefined): Uint32Array | undefined {
  return sequences && context.words(sequences.offsets).subarray(0, sequences.count + 1);
}

/** Sinkhorn's iteration over each sequence. */
export function sinkhornOp(context: RunContext, io: SinkhornIo): void {
  const { values, balanced, sequences, experts, iterations, temperature } = io;
  const options = { tokens: context.step.tokens, experts, iterations, temperature };
  context.put(balanced, sinkhornReference(context.floats(values), offsetsOf(context, sequences), options));
}

/** The tokens that each expert takes, and their shares. */
export function expertChoiceOp(context: RunContext, io: ExpertChoiceIo): void {
  const { values, given, across, sequences, experts, rule } = io;
  const sizes = { tokens: context.step.tokens, experts };
  const raw = across && context.floats(across.raw);
  const offsets = offsetsOf(context, sequences);
  const result = expertChoiceReference(context.floats(values), raw, offsets, rule, sizes);
  context.put(given, result.given);
  if (across) context.put(across.shares, result.shares);
}

/** The places of choices in experts of limited room. */
export function capacityOp(context: RunContext, io: CapacityIo): void {
  const { ids, values, given, sequences, experts, k, rule } = io;
  const sizes = { tokens: context.step.tokens, experts, k };
  const offsets = offsetsOf(context, sequences);
  context.put(given, capacityReference(context.words(ids), context.floats(values), offsets, rule, sizes));
}

/** Cells round their f64 results once. */
export function cellsOp(context: RunContext, { cell, inputs, ids, sequences, y, n, f }: CellsIo): void {
  const { tokens, past } = context.step;
  const values = cellsReference(cell, {
    ...{ tokens, past, cols: y.perToken },
    inputs: inputs.map((input) => (input.kind === 'weight' ? context.weight(input) : context.floats(input))),
    ...(ids ? { ids: context.words(ids) } : {}),
    ...(sequences ? { starts: [...context.words(sequences.offsets).subarray(0, sequences.count + 1)] } : {}),
    ...(n ? { n } : {}),
    ...(f ? { f } : {}),
  });
  context.put(y, y.type === 'u32' ? Uint32Array.from(values) : Float32Array.from(values));
}

export function pairLinearOp(
  context: RunContext,
  { x, weight, scales, bias, ids, y, experts, places, xPlaces }: PairLinearIo,
): void {
  const { tokens } = context.step;
  const sizes = { tokens, places, xPlaces, experts, outs: y.perToken / places, cols: x.perToken / xPlaces };
  const options = { ...sizes, ids: ids && context.words(ids), bias: bias && context.weight(bias) };
  const stored = context.weight(weight);
  const { outs, cols } = sizes;
  const floats = scales ? unpackTernary(stored, context.weight(scales), experts * outs, cols) : stored;
  context.put(y, pairLinearReference(context.floats(x), floats, options));
}

/** Rows that hold for runs of positions. */
export function heldRowsOp(context: RunContext, { x, kept, y, every, keeps }: HeldRowsIo): void {
  const { tokens, past } = context.step;
  const sizes = { tokens, past, cols: y.perToken, every };
  const result = heldRowsReference(context.floats(x), context.floats(kept), sizes);
  context.put(y, result.y);
  if (keeps) context.put(kept, result.kept);
}

/** The row of a prompt. */
export function promptRowsOp(context: RunContext, { x, kept, y, keeps }: PromptRowsIo): void {
  const { tokens, past } = context.step;
  const sizes = { tokens, past, cols: y.perToken };
  const result = promptRowsReference(context.floats(x), context.floats(kept), sizes);
  context.put(y, result.y);
  if (keeps) context.put(nextOf(kept), result.after);
}

/** The choices that find room in their experts. */
export function expertRoomOp(context: RunContext, { ids, chosen, given, room, keeps }: ExpertRoomIo): void {
  const { tokens, past } = context.step;
  const sizes = { tokens, past, k: ids.perToken, room };
  const result = expertRoomReference(context.words(ids), context.words(chosen), sizes);
  context.put(given, result.given);
  if (keeps) context.put(chosen, result.chosen);
}

/** Scores mixed over tokens. */
export function mixTokensOp(context: RunContext, { links, values, y, experts }: MixTokensIo): void {
  const sizes = { tokens: context.step.tokens, experts, width: links.perToken };
  context.put(y, mixTokensReference(context.floats(links), context.floats(values), sizes));
}

/** The attention that tokens receive. */
export function attentionReceivedOp(context: RunContext, io: AttentionReceivedIo): void {
  const { links, importance, sequences } = io;
  const sizes = { tokens: context.step.tokens, width: links.perToken };
  const offsets = offsetsOf(context, sequences);
  context.put(importance, attentionReceivedReference(context.floats(links), offsets, sizes));
}

/** The tokens that are protected from a filter. */
export function protectTokensOp(context: RunContext, io: ProtectTokensIo): void {
  const { values, protection, sequences, top, bottom } = io;
  const options = { tokens: context.step.tokens, top, bottom };
  const offsets = offsetsOf(context, sequences);
  context.put(protection, protectTokensReference(context.floats(values), offsets, options));
}
