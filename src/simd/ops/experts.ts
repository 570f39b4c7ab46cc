import { invariant } from '../../errors.ts';
import type { ExpertsIo } from '../../graph/ops/experts.ts';
import { activationCode } from '../../kernels/core/activation.ts';
import type { FormatName } from '../../weights/formats/index.ts';
import { scalesOffsetBytes, type RecordLayout } from '../../weights/record.ts';
import { SCRATCH_BYTES, type Address } from '../kernels.ts';
import { inTurn, productKernel, SCRATCH, work, type SimdRun } from '../run.ts';

/** Of pairs that have no expert. */
const NOWHERE = 0xffffffff;

/** Outputs of a kernel are computed this many at a time. */
const OUTS_TOGETHER = 8;

/**
 * Pairs sorted by expert: the tokens of one expert share every read of its weights. Each pair's output is kept, and a
 * token's outputs are added in rank order, so that the bits do not depend on which experts came first.
 */
export function experts(run: SimdRun, io: ExpertsIo): void | Promise<void> {
  const { x, ids, weights, y, bank, topK, hidden } = io;
  const { main, step } = run;
  const { tokens } = step;
  const store = run.experts;
  invariant(store, () => 'the graph has experts, the engine holds none');
  const glu = gluOf(run, io);
  if (!glu) return run.byReference();
  const memory = store.memory(bank);
  const order = sortPairs(run.words(ids), store.units(bank));
  const pairs = tokens * topK;
  const places = run.scratch(memory, 4 * pairs);
  const out = run.scratch(memory, 4 * order.count * hidden);
  const xAt = run.scratch(memory, 4 * tokens * hidden);
  const yAt = run.scratch(memory, 4 * tokens * hidden);
  const weightsAt = run.scratch(memory, 4 * pairs);
  memory.floats(xAt, tokens * hidden).set(run.floats(x));
  memory.floats(weightsAt, pairs).set(run.floats(weights));
  memory.words(places, pairs).set(order.places);
  const isDone = new Uint8Array(order.groups.length);
  const wave = () => {
    const table = memory.words(store.table(bank), store.units(bank)).slice();
    return inTurn(order.groups, (group, index) => {
      const record = table[group.expert] ?? 0;
      if (record === 0 || isDone[index] === 1) return;
      isDone[index] = 1;
      return glu(group, record, xAt, out);
    });
  };
  const finish = () => {
    // What is absent all the same (left out by choice) adds nothing.
    const placed = memory.words(places, pairs);
    for (const [index, group] of order.groups.entries())
      if (isDone[index] === 0) for (const pair of group.pairs) placed[pair] = NOWHERE;
    memory.kernels.combine(out, places, weightsAt, yAt, tokens, topK, hidden, 0, tokens);
    main.floats(run.at(y), tokens * hidden).set(memory.floats(yAt, tokens * hidden));
  };
  const used = store.use(bank, run.words(ids), tokens, wave, run.signal);
  return used ? used.then(finish) : finish();
}

/** The pairs of one expert: their rows are adjacent in what the experts put out. */
interface Group {
  readonly expert: number;
  readonly first: number; // row of its first pair
  readonly pairs: readonly number[];
}

interface PairOrder {
  readonly groups: readonly Group[];
  readonly places: Uint32Array; // [pairs]: the row of each pair
  readonly count: number; // rows
}

function sortPairs(ids: Uint32Array, experts: number): PairOrder {
  const byExpert = new Map<number, number[]>();
  for (const [pair, expert] of ids.entries()) {
    if (expert >= experts) continue; // left out by the router
    const list = byExpert.get(expert);
    if (list) list.push(pair);
    else byExpert.set(expert, [pair]);
  }
  const places = new Uint32Array(ids.length).fill(NOWHERE);
  const groups: Group[] = [];
  let count = 0;
  for (const [expert, pairs] of byExpert) {
    groups.push({ expert, first: count, pairs });
    for (const pair of pairs) {
      places[pair] = count;
      count += 1;
    }
  }
  return { groups, places, count };
}

type RunGroup = (group: Group, record: Address, x: Address, out: Address) => void | Promise<void>;

/** Runs one expert for its pairs; undefined where a format has no kernel. */
function gluOf(run: SimdRun, io: ExpertsIo): RunGroup | undefined {
  const { bank, topK, hidden, width, activation, biased = false, gatePart = 'gate' } = io;
  const store = run.experts;
  invariant(store, () => 'no experts');
  const memory = store.memory(bank);
  const layout = store.layout(bank);
  const [gate, up, down] = [partOf(layout, gatePart), partOf(layout, 'up'), partOf(layout, 'down')];
  const biasesAt = biasAddresses(layout, biased);
  const { kernels } = memory;
  const first = gate.format === up.format ? productKernel(memory, 'glu', gate.format, run) : undefined;
  const second = productKernel(memory, 'linear', down.format, run);
  if (!first || !second) return undefined;
  const sizesOf = (rows: number) => [rows, hidden, width, activationCode(activation), SCRATCH] as const;
  const rowsMost = run.step.tokens; // a token takes an expert once at most
  const inputs = run.scratch(memory, 4 * rowsMost * hidden);
  const index = run.scratch(memory, 4 * rowsMost);
  const h = run.scratch(memory, 4 * rowsMost * width);
  return (group, record, x, out) => {
    const rows = group.pairs.length;
    const tokens = memory.words(index, rows);
    for (const [row, pair] of group.pairs.entries()) tokens[row] = Math.floor(pair / topK);
    const isWhole = run.step.tokens === 1;
    if (!isWhole) kernels.gather_rows(x, index, inputs, rows, hidden);
    const from = isWhole ? x : inputs;
    const shape = { unit: OUTS_TOGETHER, scratchBytes: SCRATCH_BYTES };
    const inward = { ...shape, count: width, multiplyAdds: 2 * rows * hidden };
    const gateAt = [record + gate.at, record + gate.scales] as const;
    const upAt = [record + up.at, record + up.scales] as const;
    const [gateBias, upBias, downBias] = biasesAt(record);
    const across = run.split(
      work(first, inward, first.format, from, ...gateAt, ...upAt, gateBias, upBias, h, ...sizesOf(rows)),
    );
    const outward = { ...shape, count: hidden, multiplyAdds: rows * width };
    const downAt = [record + down.at, record + down.scales, downBias] as const;
    const sums = [out + 4 * group.first * hidden, rows, width, hidden, 1, SCRATCH] as const;
    const backward = () => run.split(work(second, outward, second.format, h, ...downAt, ...sums));
    return across ? across.then(backward) : backward();
  };
}

/** The addresses of the biases of gate, up and down in a record; 0 if there are none. */
function biasAddresses(
  layout: RecordLayout,
  biased: boolean,
): (record: Address) => readonly [gate: Address, up: Address, down: Address] {
  if (!biased) return () => [0, 0, 0];
  const [gate, up, down] = [partOf(layout, 'gateBias'), partOf(layout, 'upBias'), partOf(layout, 'downBias')];
  return (record) => [record + gate.at, record + up.at, record + down.at];
}

interface PartAt {
  readonly format: FormatName;
  readonly at: number; // bytes from the record's start
  readonly scales: number;
}

/** The format and the offsets of a part of records. */
export function partOf({ parts }: RecordLayout, name: string): PartAt {
  const part = parts[name];
  invariant(part, () => `records have no part ${name}`);
  return { format: part.format, at: part.offsetBytes, scales: scalesOffsetBytes(part) };
}
