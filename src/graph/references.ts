/** The specification of the package's ops on the CPU, from the kernels' references. Loaded only for running on the CPU. */
import { invariant } from '../errors.ts';
import { atomicExpertsReference } from '../kernels/atomic/atomic-experts.reference.ts';
import { attentionReference } from '../kernels/attention/attention.reference.ts';
import {
  latentKeysReference,
  latentQueryReference,
  latentValuesReference,
} from '../kernels/attention/latent.reference.ts';
import { keyBiasReference } from '../kernels/attention/key-bias.reference.ts';
import { ropeKvReference } from '../kernels/attention/rope-kv.reference.ts';
import { activationCode } from '../kernels/core/activation.ts';
import { addWeighedReference } from '../kernels/core/add-weighed.reference.ts';
import { addSharedReference } from '../kernels/core/add-shared.reference.ts';
import { embeddingReference } from '../kernels/core/embedding.reference.ts';
import { gluActivationReference } from '../kernels/core/glu-activation.reference.ts';
import { gateSigmoidReference } from '../kernels/core/gate-sigmoid.reference.ts';
import { scaleRowsReference } from '../kernels/core/scale-rows.reference.ts';
import { softCapReference } from '../kernels/core/soft-cap.reference.ts';
import { takeRowReference } from '../kernels/core/take-row.reference.ts';
import { expertGluReference } from '../kernels/experts/expert-glu.reference.ts';
import { linearReference } from '../kernels/linear/linear.reference.ts';
import { addNormedReference } from '../kernels/norm/add-normed.reference.ts';
import { addRmsNormReference } from '../kernels/norm/add-rms-norm.reference.ts';
import { gatedNormReference } from '../kernels/norm/gated-norm.reference.ts';
import { layerNormReference } from '../kernels/norm/layer-norm.reference.ts';
import { rmsNormReference } from '../kernels/norm/rms-norm.reference.ts';
import { causalConvReference } from '../kernels/recurrent/causal-conv.reference.ts';
import { shortConvReference } from '../kernels/recurrent/short-conv.reference.ts';
import { deltaScanReference } from '../kernels/recurrent/delta-scan.reference.ts';
import { stateScanReference } from '../kernels/recurrent/state-scan.reference.ts';
import { gateReference } from '../kernels/routing/gate.reference.ts';
import { productRouteReference } from '../kernels/routing/product-route.reference.ts';
import { productWeigh } from '../kernels/routing/rule.ts';
import { skipLightReference } from '../kernels/routing/skip-light.reference.ts';
import { logitsPenaltyReference } from '../kernels/sample/logits-penalty.reference.ts';
import { sampleReference } from '../kernels/sample/sample.reference.ts';
import { seenMarkReference } from '../kernels/sample/seen-mark.reference.ts';
import type { Node, RunContext } from './node.ts';
import type { AtomicExpertsIo } from './ops/atomic-experts.ts';
import type { AttentionIo } from './ops/attention.ts';
import type { GateSigmoidIo } from './ops/gate-sigmoid.ts';
import type { RopeKvIo } from './ops/rope-kv.ts';
import type {
  AddNormedIo,
  AddRmsNormIo,
  AddSharedIo,
  EmbeddingIo,
  GluActivationIo,
  LastRowIo,
  ScaleRowsIo,
  SoftCapIo,
} from './ops/basic.ts';
import type { ExpertsIo } from './ops/experts.ts';
import type { GateIo } from './ops/gate.ts';
import type { LatentKeysIo, LatentQueryIo, LatentValuesIo } from './ops/latent.ts';
import type { LinearIo } from './ops/linear.ts';
import { rowsOf, type LayerNormIo, type RmsNormIo } from './ops/norm.ts';
import type { ProductRouteIo } from './ops/product-route.ts';
import { CANDIDATES, isPenalised, type PenaltyIo, type RecordIo } from './ops/sample.ts';
import type { CausalConvIo, DeltaScanIo, GatedNormIo, StateScanIo } from './ops/recurrent.ts';
import type { ShortConvIo } from './ops/short-conv.ts';
import type { SkipLightIo } from './ops/skip-light.ts';
import type { AddWeighedIo } from './ops/add-weighed.ts';
import type { KeyBiasIo } from './ops/key-bias.ts';
import * as routing from './routing-references.ts';
import { nextOf } from './tensor.ts';

type Run<Io> = (context: RunContext, io: Io) => void;

function embedding(context: RunContext, { ids, table, y, multiplier }: EmbeddingIo): void {
  const { rows: vocab, cols } = table;
  const options = { tokens: context.step.tokens, vocab, cols, multiplier };
  context.put(y, embeddingReference(context.words(ids), context.weight(table), options));
}

function addRmsNorm(context: RunContext, { x, branch, scale, gain, eps, sum, y }: AddRmsNormIo): void {
  const { cols } = gain;
  const options = { rows: rowsOf(x, cols, context.step.tokens), cols, eps, scale };
  const result = addRmsNormReference(
    context.floats(x),
    context.floats(branch),
    context.weight(gain),
    options,
  );
  context.put(sum, result.sum);
  context.put(y, result.y);
}

function addNormed(context: RunContext, { x, branch, scale, gain, factor, eps, y }: AddNormedIo): void {
  const { cols } = gain;
  const times = factor ? (context.weight(factor)[0] ?? 1) : 1;
  const options = { rows: rowsOf(x, cols, context.step.tokens), cols, eps, scale, factor: times };
  const [values, added] = [context.floats(x), context.floats(branch)];
  context.put(y, addNormedReference(values, added, context.weight(gain), options));
}

function scaleRows(context: RunContext, { x, factors, y, cols }: ScaleRowsIo): void {
  const isOfPositions = factors.kind === 'weight';
  const values = isOfPositions ? context.weight(factors) : context.floats(factors);
  const first = isOfPositions ? context.step.past : 0;
  context.put(y, scaleRowsReference(context.floats(x), values, { cols, first }));
}

function softCap(context: RunContext, { x, y, cap }: SoftCapIo): void {
  context.put(y, softCapReference(context.floats(x), { cap }));
}

function gluActivation(context: RunContext, { gateUp, y, width, activation }: GluActivationIo): void {
  const options = { rows: context.step.tokens, width, act: activationCode(activation) };
  context.put(y, gluActivationReference(context.floats(gateUp), options));
}

function addShared(context: RunContext, { a, b, gate, y, cols, scale = 1 }: AddSharedIo): void {
  const gates = gate && context.floats(gate);
  const options = { tokens: rowsOf(y, cols, context.step.tokens), cols, scale };
  context.put(y, addSharedReference(context.floats(a), context.floats(b), gates, options));
}

function gateSigmoid(context: RunContext, { x, gate, y }: GateSigmoidIo): void {
  context.put(y, gateSigmoidReference(context.floats(x), context.floats(gate)));
}

function lastRow(context: RunContext, { x, y, cols }: LastRowIo): void {
  const row = context.step.tokens - 1;
  context.put(y, takeRowReference(Float32Array.from(context.floats(x)), { row, cols }));
}

function linear(context: RunContext, { x, weight, bias, y, multiplier = 1 }: LinearIo): void {
  const { rows: outs, cols } = weight;
  const rows = rowsOf(x, cols, context.step.tokens);
  const offsets = bias && context.weight(bias);
  const options = { rows, cols, outs, multiplier };
  context.put(y, linearReference(context.floats(x), context.weight(weight), offsets, options));
}

function rmsNorm(context: RunContext, { x, gain, y, eps }: RmsNormIo): void {
  const { cols } = gain;
  const rows = rowsOf(x, cols, context.step.tokens);
  context.put(y, rmsNormReference(context.floats(x), context.weight(gain), { rows, cols, eps }));
}

function layerNorm(context: RunContext, { x, gain, shift, y, eps }: LayerNormIo): void {
  const { cols } = gain;
  const rows = rowsOf(x, cols, context.step.tokens);
  const [gains, shifts] = [context.weight(gain), context.weight(shift)];
  context.put(y, layerNormReference(context.floats(x), gains, shifts, { rows, cols, eps }));
}

function ropeKv(context: RunContext, io: RopeKvIo): void {
  const { qkv, angles, gains, norm, heads, kvHeads, headDim, rotaryDim, style, eps, clip = 0 } = io;
  const { tokens, past } = context.step;
  const none = new Float32Array(0);
  const result = ropeKvReference(
    context.floats(qkv),
    context.weight(angles),
    gains ? context.weight(gains.q) : none,
    gains ? context.weight(gains.k) : none,
    { tokens, past, heads, kvHeads, headDim, rotaryDim, style, norm, eps, clip },
  );
  context.put(io.q, result.q);
  context.floats(io.kCache).set(result.k, past * kvHeads * headDim);
  context.floats(io.vCache).set(result.v, past * kvHeads * headDim);
}

function attention(
  context: RunContext,
  { q, kCache, vCache, o, heads, kvHeads, headDim, scale, window, chunk, sinks, keyBias }: AttentionIo,
): void {
  const { tokens, past } = context.step;
  const scores = sinks && context.weight(sinks);
  const biases = keyBias && context.floats(keyBias);
  const shape = { tokens, past, heads, kvHeads, headDim };
  const options = { ...shape, scale, window, chunk: chunk ?? 0, sinks: scores, keyBias: biases };
  const [keys, values] = [context.floats(kCache), context.floats(vCache)];
  context.put(o, attentionReference(context.floats(q), keys, values, options));
}

function keyBias(context: RunContext, { x, slope, cache, heads }: KeyBiasIo): void {
  const { tokens, past } = context.step;
  const values = context.floats(x).subarray(0, tokens * heads);
  context.floats(cache).set(keyBiasReference(values, context.weight(slope)), past * heads);
}

function addWeighed(context: RunContext, { x, branch, weights, scale, sum }: AddWeighedIo): void {
  const size = rowsOf(x, weights.cols, context.step.tokens) * weights.cols;
  const [stream, added] = [context.floats(x).subarray(0, size), context.floats(branch)];
  context.put(sum, addWeighedReference(stream, added, context.weight(weights), scale));
}

function latentQuery(context: RunContext, { q, weight, angles, y, ...sizes }: LatentQueryIo): void {
  const { tokens, past } = context.step;
  const [map, turns] = [context.weight(weight), context.weight(angles)];
  context.put(y, latentQueryReference(context.floats(q), map, turns, { tokens, past, ...sizes }));
}

function latentKeys(context: RunContext, { x, gain, angles, cache, ...sizes }: LatentKeysIo): void {
  const { tokens, past } = context.step;
  const [gains, turns] = [context.weight(gain), context.weight(angles)];
  const rows = latentKeysReference(context.floats(x), gains, turns, { tokens, past, ...sizes });
  context.floats(cache).set(rows, past * (sizes.rank + sizes.rotary));
}

function latentValues(context: RunContext, { o, weight, y, ...sizes }: LatentValuesIo): void {
  const { tokens } = context.step;
  context.put(y, latentValuesReference(context.floats(o), context.weight(weight), { tokens, ...sizes }));
}

function experts(
  context: RunContext,
  { x, ids, weights, y, bank, experts, topK, hidden, width, activation, gatePart = 'gate' }: ExpertsIo,
): void {
  const store = context.experts;
  invariant(store, () => 'the graph has experts, the engine has none');
  const expert = (unit: number) => {
    if (unit >= experts) return undefined; // skipped by the router
    const parts = store.unit(bank, unit);
    const { up, down, gateBias, upBias, downBias } = parts;
    const gate = parts[gatePart];
    invariant(gate && up && down, () => 'an expert has gate, up and down');
    return { gate, up, down, gateBias, upBias, downBias };
  };
  const options = { tokens: context.step.tokens, topK, hidden, width, act: activationCode(activation) };
  const result = expertGluReference(
    context.floats(x),
    context.words(ids),
    context.floats(weights),
    expert,
    options,
  );
  context.put(y, result);
}

function atomicExperts(
  context: RunContext,
  { x, ids, weights, y, bank, experts, topK, hidden, activation }: AtomicExpertsIo,
): void {
  const store = context.experts;
  invariant(store, () => 'the graph has experts, the engine has none');
  const result = atomicExpertsReference(context.floats(x), context.words(ids), context.floats(weights), {
    tokens: context.step.tokens,
    hidden,
    topK,
    act: activationCode(activation),
    pageExperts: experts / store.units(bank),
    page: (page) => {
      const { in: input, out: output } = store.unit(bank, page);
      invariant(input && output, () => 'a page has input and output vectors');
      return { in: input, out: output };
    },
  });
  context.put(y, result);
}

function gate(context: RunContext, io: GateIo): void {
  const { logits, bias, ids, weights, experts, topK, rule } = io;
  const factors = io.factors && context.weight(io.factors);
  const options = { tokens: context.step.tokens, experts, topK, rule, factors };
  const result = gateReference(context.floats(logits), context.weight(bias), options);
  context.put(ids, result.ids);
  context.put(weights, result.weights);
}

function productRoute(context: RunContext, io: ProductRouteIo): void {
  const { scores, ids, weights, sums, statistics, grid, heads = 1, topK } = io;
  const { renormalise, logSoftmax = true } = io;
  const norm = statistics && {
    mean: context.weight(statistics.mean),
    variance: context.weight(statistics.variance),
    eps: statistics.eps,
  };
  const route = productRouteReference(context.floats(scores), {
    tokens: context.step.tokens,
    heads,
    n: grid,
    topK,
    ...(norm ? { norm } : {}),
    logSoftmax: Number(logSoftmax),
    split: io.split ?? 'token',
    weigh: productWeigh(renormalise),
  });
  context.put(ids, route.ids);
  context.put(weights, route.weights);
  if (sums) context.put(sums, route.scores);
}

function shortConv(context: RunContext, { gatesX, weight, recent, y, cols, taps }: ShortConvIo): void {
  const options = { tokens: context.step.tokens, cols, taps };
  const before = Float32Array.from(context.floats(recent));
  const result = shortConvReference(context.floats(gatesX), context.weight(weight), before, options);
  context.put(y, result.y);
  context.put(nextOf(recent), result.after);
}

function causalConv(context: RunContext, { x, weight, bias, recent, y }: CausalConvIo): void {
  const { rows: cols, cols: taps } = weight;
  const { perToken: stride } = x.tensor;
  const given = {
    x: context.floats(x.tensor),
    weight: context.weight(weight),
    bias: bias && context.weight(bias),
    before: context.floats(recent),
  };
  const options = { tokens: context.step.tokens, cols, taps, stride, first: x.first };
  const result = causalConvReference(given, options);
  context.put(y, result.y);
  context.put(nextOf(recent), result.after);
}

function stateScan(context: RunContext, { dt, mixed, rates, state, y, bounds, ...sizes }: StateScanIo): void {
  const given = {
    projected: context.floats(dt.tensor),
    mixed: context.floats(mixed),
    rates: context.weight(rates),
    before: context.floats(state),
  };
  const place = { stride: dt.tensor.perToken, first: dt.first };
  const [lowest, highest] = bounds;
  const options = { tokens: context.step.tokens, ...sizes, ...place, lowest, highest };
  const result = stateScanReference(given, options);
  context.put(y, result.y);
  context.put(nextOf(state), result.after);
}

function deltaScan(context: RunContext, { gates, mixed, rates, state, y, ...sizes }: DeltaScanIo): void {
  const given = {
    projected: context.floats(gates.tensor),
    mixed: context.floats(mixed),
    rates: context.weight(rates),
    before: context.floats(state),
  };
  const place = { stride: gates.tensor.perToken, first: gates.first };
  const result = deltaScanReference(given, { tokens: context.step.tokens, ...sizes, ...place });
  context.put(y, result.y);
  context.put(nextOf(state), result.after);
}

function gatedNorm(context: RunContext, { x, gate, gain, y, groups, isGateFirst, eps }: GatedNormIo): void {
  const { tensor, first } = gate;
  const sizes = { tokens: context.step.tokens, cols: x.perToken / groups, groups };
  const options = { ...sizes, stride: tensor.perToken, first, isGateFirst, eps };
  const [values, gates] = [context.floats(x), context.floats(tensor)];
  context.put(y, gatedNormReference(values, gates, context.weight(gain), options));
}

function skipLight(context: RunContext, { ids, weights, bound, dropIds }: SkipLightIo): void {
  const kept = skipLightReference(context.words(ids), context.floats(weights), { bound, dropIds });
  context.put(ids, kept.ids);
  context.put(weights, kept.weights);
}

function penalty(context: RunContext, { ids, logits, vocab, seen }: PenaltyIo): void {
  const { tokens, penalty } = context.step;
  if (!isPenalised(context.step)) return;
  const marked = seenMarkReference(context.words(ids), context.words(seen), {
    first: 0,
    count: tokens,
    vocab,
  });
  context.put(seen, marked);
  context.put(logits, logitsPenaltyReference(context.floats(logits), marked, { penalty }));
}

function sample(context: RunContext, { logits, record }: RecordIo): void {
  const options = { candidates: CANDIDATES, inverseTemperature: 1 / context.step.temperature };
  context.put(record, sampleReference(context.floats(logits), options));
}

/** Erases the type of `Io`, which is safe: `defineCoreOp` creates nodes with the `Io` of their op's name. */
function row<Io extends object>(run: Run<Io>): Run<object> {
  return run as Run<object>;
}

/** By the ops' names. */
export const REFERENCES: Readonly<Partial<Record<string, Run<object>>>> = {
  'add-normed': row(addNormed),
  'add-rms-norm': row(addRmsNorm),
  'add-weighed': row(addWeighed),
  'key-bias': row(keyBias),
  'add-shared': row(addShared),
  'atomic-experts': row(atomicExperts),
  attention: row(attention),
  'attention-received': row(routing.attentionReceivedOp),
  capacity: row(routing.capacityOp),
  cells: row(routing.cellsOp),
  'causal-conv': row(causalConv),
  'delta-scan': row(deltaScan),
  embedding: row(embedding),
  'expert-choice': row(routing.expertChoiceOp),
  'expert-room': row(routing.expertRoomOp),
  experts: row(experts),
  gate: row(gate),
  'gate-sigmoid': row(gateSigmoid),
  'gated-norm': row(gatedNorm),
  'glu-activation': row(gluActivation),
  'hook-logits': row(routing.hookLogitsOp),
  'held-rows': row(routing.heldRowsOp),
  'hooked-gate': row(routing.hookedGateOp),
  'latent-keys': row(latentKeys),
  'latent-query': row(latentQuery),
  'latent-values': row(latentValues),
  'layer-norm': row(layerNorm),
  linear: row(linear),
  'mix-tokens': row(routing.mixTokensOp),
  'pair-linear': row(routing.pairLinearOp),
  'prompt-rows': row(routing.promptRowsOp),
  'product-route': row(productRoute),
  'protect-tokens': row(routing.protectTokensOp),
  'repetition-penalty': row(penalty),
  'rms-norm': row(rmsNorm),
  'rope-kv': row(ropeKv),
  route: row(routing.routeOp),
  'route-scores': row(routing.routeScoresOp),
  sample: row(sample),
  sinkhorn: row(routing.sinkhornOp),
  'short-conv': row(shortConv),
  'skip-light': row(skipLight),
  'scale-rows': row(scaleRows),
  'soft-cap': row(softCap),
  'state-scan': row(stateScan),
  'take-row': row(lastRow),
};

/** Runs a node with its own `run` (`defineOp`), else with the table, unless the step does not need it. */
export function runReference(node: Node, context: RunContext): void {
  if (node.isNeeded && !node.isNeeded(context.step)) return;
  if (node.run) return node.run(context);
  const run = REFERENCES[node.op];
  invariant(run, () => `the op ${node.op} has no reference`);
  run(context, node.io);
}
