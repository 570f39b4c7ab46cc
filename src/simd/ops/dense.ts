/** Ops on rows of activations and dense weights. */
import type {
  AddNormedIo,
  AddRmsNormIo,
  AddSharedIo,
  EmbeddingIo,
  GluActivationIo,
  LastRowIo,
  ScaleRowsIo,
  SoftCapIo,
} from '../../graph/ops/basic.ts';
import type { LinearIo } from '../../graph/ops/linear.ts';
import { rowsOf, type LayerNormIo, type RmsNormIo } from '../../graph/ops/norm.ts';
import { elementCount } from '../../graph/tensor.ts';
import { activationCode } from '../../kernels/core/activation.ts';
import { SCRATCH_BYTES } from '../kernels.ts';
import {
  formatKernel,
  productKernel,
  SCRATCH,
  work,
  type SimdRun,
  type SimdWeightPart,
  type Work,
} from '../run.ts';

/** Outputs of a linear kernel are computed this many at a time. */
const OUTS_TOGETHER = 8;

/** y = multiplier * (x W^T + bias), computed where the weights are. */
export function linear(run: SimdRun, { x, weight, bias, y, multiplier = 1 }: LinearIo): void | Promise<void> {
  const { main, step } = run;
  const { memory, parts } = run.weight(weight);
  const kernels = kernelsOf(parts, ({ format }) => productKernel(memory, 'linear', format, run));
  if (!kernels) return run.byReference();
  const { rows: outs, cols } = weight;
  const rows = rowsOf(x, cols, step.tokens);
  const isHere = memory === main;
  // Activations come to the weights and go back: they are far smaller.
  const xBytes = 4 * rows * cols;
  const yBytes = 4 * rows * outs;
  const xAt = isHere ? run.at(x) : run.scratch(memory, xBytes);
  const yAt = isHere ? run.at(y) : run.scratch(memory, yBytes);
  const biasAt = bias ? run.exactAt(bias) : 0;
  const biasHere = isHere || !bias ? biasAt : run.scratch(memory, 4 * outs);
  if (!isHere) {
    memory.bytes.set(main.bytes.subarray(run.at(x), run.at(x) + xBytes), xAt);
    if (bias) memory.bytes.set(main.bytes.subarray(biasAt, biasAt + 4 * outs), biasHere);
  }
  const works = kernels.map(([{ firstRow, rows: count, at, scalesAt }, kernel]) => {
    const shape = { count, unit: OUTS_TOGETHER, multiplyAdds: rows * cols, scratchBytes: SCRATCH_BYTES };
    const skipBytes = 4 * firstRow;
    const partBias = bias ? biasHere + skipBytes : 0;
    return work(
      kernel,
      shape,
      kernel.format,
      xAt,
      at,
      scalesAt,
      partBias,
      yAt + skipBytes,
      rows,
      cols,
      outs, // of all parts: from one row of y to the next
      multiplier,
      SCRATCH,
    );
  });
  const takeBack = () => {
    if (!isHere) main.bytes.set(memory.bytes.subarray(yAt, yAt + yBytes), run.at(y));
  };
  return splitAll(run, works, takeBack);
}

/** Each part with its kernel; undefined if one has none. */
function kernelsOf<K>(
  parts: readonly SimdWeightPart[],
  kernelOf: (part: SimdWeightPart) => K | undefined,
): [SimdWeightPart, K][] | undefined {
  const found: [SimdWeightPart, K][] = [];
  for (const part of parts) {
    const kernel = kernelOf(part);
    if (!kernel) return undefined;
    found.push([part, kernel]);
  }
  return found;
}

/** Does one work after another, and then what is `last`. */
function splitAll(run: SimdRun, works: readonly Work[], last: () => void): void | Promise<void> {
  for (const [index, each] of works.entries()) {
    const done = run.split(each);
    if (done) return done.then(() => splitAll(run, works.slice(index + 1), last));
  }
  last();
}

/** y[t] = multiplier * table[ids[t]] */
export function embedding(run: SimdRun, { ids, table, y, multiplier }: EmbeddingIo): void {
  const { main, step } = run;
  const { memory, parts } = run.weight(table);
  const [part] = parts;
  const kernel = part && parts.length === 1 ? formatKernel(memory, 'embedding', part.format) : undefined;
  if (!part || !kernel) return run.byReference();
  const { at, scalesAt } = part;
  const { rows: vocab, cols } = table;
  const { tokens } = step;
  const yBytes = 4 * tokens * cols;
  const isHere = memory === main;
  const idsAt = isHere ? run.at(ids) : run.scratch(memory, 4 * tokens);
  const yAt = isHere ? run.at(y) : run.scratch(memory, yBytes);
  if (!isHere) memory.words(idsAt, tokens).set(run.words(ids));
  kernel.call(kernel.format, idsAt, at, scalesAt, yAt, vocab, cols, multiplier, 0, tokens);
  if (!isHere) main.bytes.set(memory.bytes.subarray(yAt, yAt + yBytes), run.at(y));
}

/** y = rmsNorm(x) * gain, row by row. */
export function rmsNorm(run: SimdRun, { x, gain, y, eps }: RmsNormIo): void {
  const { cols } = gain;
  const rows = rowsOf(x, cols, run.step.tokens);
  run.main.kernels.rms_norm(run.at(x), run.exactAt(gain), run.at(y), rows, cols, eps, 0, rows);
}

/** y = layerNorm(x) * gain + shift, row by row. */
export function layerNorm(run: SimdRun, { x, gain, shift, y, eps }: LayerNormIo): void {
  const { cols } = gain;
  const rows = rowsOf(x, cols, run.step.tokens);
  const [gainAt, shiftAt] = [run.exactAt(gain), run.exactAt(shift)];
  run.main.kernels.layer_norm(run.at(x), gainAt, shiftAt, run.at(y), rows, cols, eps, 0, rows);
}

/** sum = x + scale * branch; y = rmsNorm(sum) * gain */
export function addRmsNorm(run: SimdRun, { x, branch, scale, gain, eps, sum, y }: AddRmsNormIo): void {
  const { cols } = gain;
  const rows = rowsOf(x, cols, run.step.tokens);
  const [xAt, branchAt, gainAt] = [run.at(x), run.at(branch), run.exactAt(gain)];
  run.main.kernels.add_rms_norm(
    ...([xAt, branchAt, gainAt, run.at(sum), run.at(y), rows, cols, eps, scale, 0, rows] as const),
  );
}

/** y = factor * (x + scale * rmsNorm(branch) * gain) */
export function addNormed(run: SimdRun, io: AddNormedIo): void {
  const { x, branch, scale, gain, factor, eps, y } = io;
  const { cols } = gain;
  const rows = rowsOf(x, cols, run.step.tokens);
  const times = factor ? (run.main.floats(run.exactAt(factor), 1)[0] ?? 1) : 1;
  const [xAt, branchAt, gainAt] = [run.at(x), run.at(branch), run.exactAt(gain)];
  run.main.kernels.add_normed(
    ...([xAt, branchAt, gainAt, run.at(y), rows, cols, eps, scale, times, 0, rows] as const),
  );
}

/** y[t] = factors[t] * x[t], or factors[past + t] * x[t] with factors of positions. */
export function scaleRows(run: SimdRun, { x, factors, y, cols }: ScaleRowsIo): void {
  const { tokens, past } = run.step;
  const at = factors.kind === 'weight' ? run.exactAt(factors) + 4 * past : run.at(factors);
  run.main.kernels.scale_rows(run.at(x), at, run.at(y), tokens, cols);
}

/** y = cap * tanh(x / cap) */
export function softCap(run: SimdRun, { x, y, cap }: SoftCapIo): void {
  const count = elementCount(x, run.step.tokens);
  run.main.kernels.soft_cap(run.at(x), run.at(y), count, cap);
}

/** y = act(gate) * up */
export function gluActivation(run: SimdRun, { gateUp, y, width, activation }: GluActivationIo): void {
  const { tokens } = run.step;
  const act = activationCode(activation);
  run.main.kernels.glu_activation(run.at(gateUp), run.at(y), tokens, width, act, 0, tokens);
}

/** y = a + scale * b, or a + sigmoid(gate) * b where there is a gate. */
export function addShared(run: SimdRun, { a, b, gate, y, cols, scale = 1 }: AddSharedIo): void {
  const rows = rowsOf(y, cols, run.step.tokens);
  const gateAt = gate ? run.at(gate) : 0;
  run.main.kernels.add_shared(run.at(a), run.at(b), gateAt, run.at(y), rows, cols, scale, 0, rows);
}

/** y = the row of the last token. */
export function takeRow(run: SimdRun, { x, y, cols }: LastRowIo): void {
  const from = run.at(x) + 4 * (run.step.tokens - 1) * cols;
  run.main.bytes.copyWithin(run.at(y), from, from + 4 * cols);
}
