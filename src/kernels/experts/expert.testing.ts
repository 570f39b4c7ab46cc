/** Random experts in slots, for kernel tests: records packed by hand according to the layout. */
import { ABSENT_SLOT, slotNumber, type PoolCount } from './expert-pool.ts';
import type { ExpertLookup, ExpertMatrices } from './expert-glu.reference.ts';
import { randomNormal, randomStream } from '../testing.ts';
import { testWeights, wholeBlocks } from '../weights.testing.ts';
import type { FormatName } from '../../weights/formats/index.ts';

export interface ExpertShape {
  readonly experts: number;
  readonly hidden: number;
  readonly width: number;
  readonly topK: number;
}

/** Shapes for formats of blocks of 256 weights: one block in a row, and two. */
const LONG_SHAPES: readonly (readonly [tokens: number, shape: ExpertShape])[] = [
  [1, { experts: 2, hidden: 256, width: 512, topK: 1 }],
  [3, { experts: 3, hidden: 512, width: 256, topK: 2 }],
];

/** The shapes that a test runs: its own, unless they have no whole blocks of a format. */
export function shapesIn<S extends readonly [tokens: number, shape: ExpertShape, ...unknown[]]>(
  format: FormatName,
  shapes: readonly S[],
): readonly (S | (typeof LONG_SHAPES)[number])[] {
  const hasBlocks = shapes.every(([, { hidden }]) => wholeBlocks(format, hidden) === hidden);
  return hasBlocks ? shapes : LONG_SHAPES;
}

/** The matrices of some experts: packed records, and their decoded values. */
export interface TestExperts {
  readonly expert: ExpertLookup; // without the biases
  readonly biased: ExpertLookup;
  readonly records: readonly Uint32Array[];
  readonly offsets: {
    readonly slot_vec4: number;
    readonly gate: number;
    readonly up: number;
    readonly down: number;
    readonly gate_scales: number;
    readonly up_scales: number;
    readonly down_scales: number;
    readonly gate_bias: number;
    readonly up_bias: number;
    readonly down_bias: number;
  };
}

const LINE_WORDS = 64; // 256 bytes
const align = (words: number) => Math.ceil(words / LINE_WORDS) * LINE_WORDS;

export function testExperts(
  format: FormatName,
  { experts, hidden, width }: Omit<ExpertShape, 'topK'>,
  seed = 1,
): TestExperts {
  const matrices: ExpertMatrices[] = [];
  const biases: Pick<ExpertMatrices, 'gateBias' | 'upBias' | 'downBias'>[] = [];
  const records: Uint32Array[] = [];
  let offsets = {
    ...{ slot_vec4: 0, gate: 0, up: 0, down: 0, gate_scales: 0, up_scales: 0, down_scales: 0 },
    ...{ gate_bias: 0, up_bias: 0, down_bias: 0 },
  };
  for (let e = 0; e < experts; e += 1) {
    const gate = testWeights(format, width, hidden, seed + 3 * e);
    const up = testWeights(format, width, hidden, seed + 3 * e + 1);
    const down = testWeights(format, hidden, width, seed + 3 * e + 2);
    const upAt = align(gate.words.length);
    const downAt = upAt + align(up.words.length);
    const [gateBias, upBias, downBias] = [width, width, hidden].map((count, i) =>
      randomNormal(count, seed + 1000 + 3 * e + i),
    ) as [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>];
    const gateBiasAt = downAt + align(down.words.length);
    const upBiasAt = gateBiasAt + align(width);
    const downBiasAt = upBiasAt + align(width);
    const record = new Uint32Array(downBiasAt + align(hidden));
    record.set(new Uint32Array(gateBias.buffer), gateBiasAt);
    record.set(new Uint32Array(upBias.buffer), upBiasAt);
    record.set(new Uint32Array(downBias.buffer), downBiasAt);
    biases.push({ gateBias, upBias, downBias });
    record.set(gate.words, 0);
    record.set(up.words, upAt);
    record.set(down.words, downAt);
    records.push(record);
    matrices.push({ gate: gate.values, up: up.values, down: down.values });
    offsets = {
      slot_vec4: record.length / 4,
      gate: 0,
      up: upAt / 4,
      down: downAt / 4,
      gate_scales: gate.scales,
      up_scales: upAt + up.scales,
      down_scales: downAt + down.scales,
      gate_bias: gateBiasAt / 4,
      up_bias: upBiasAt / 4,
      down_bias: downBiasAt / 4,
    };
  }
  const biased: ExpertLookup = (e) => matrices[e] && { ...matrices[e], ...biases[e] };
  return { expert: (e) => matrices[e], biased, records, offsets };
}

/** Location of experts: pools, and a table with the slots of the experts from `table_base` on. */
export interface TestSlots {
  readonly table: Uint32Array<ArrayBuffer>;
  readonly table_base: number;
  readonly pools: Readonly<Record<`pool${number}`, Uint32Array<ArrayBuffer>>> & {
    readonly pool0: Uint32Array<ArrayBuffer>;
  };
}

/** Places records in slots: in order, or shuffled with gaps; experts in `absent` have no slot. */
export function placeExperts(
  { records }: TestExperts,
  {
    pools = 1,
    shuffle = 0,
    absent = [],
  }: { pools?: PoolCount; shuffle?: number; absent?: readonly number[] } = {},
): TestSlots {
  const slotWords = records[0]?.length ?? 0;
  const slots = Math.ceil(records.length / pools) + (shuffle > 0 ? 2 : 0); // of each pool
  const order = Array.from({ length: slots * pools }, (_, slot) => slot);
  const next = randomStream(shuffle);
  for (let i = order.length - 1; shuffle > 0 && i > 0; i -= 1) {
    const other = Math.floor(next() * (i + 1));
    [order[i], order[other]] = [order[other] ?? 0, order[i] ?? 0];
  }
  const buffers = Array.from({ length: pools }, () => new Uint32Array(slots * slotWords).fill(0x7bff7bff));
  const table_base = shuffle > 0 ? 5 : 0;
  const table = new Uint32Array(table_base + records.length).fill(ABSENT_SLOT);
  for (const [e, record] of records.entries()) {
    if (absent.includes(e)) continue;
    const slot = order[e] ?? 0;
    buffers[slot % pools]?.set(record, Math.floor(slot / pools) * slotWords);
    table[table_base + e] = slotNumber(slot % pools, Math.floor(slot / pools));
  }
  const [pool0 = new Uint32Array(4)] = buffers;
  return {
    table,
    table_base,
    pools: { ...Object.fromEntries(buffers.map((b, i) => [`pool${i}`, b])), pool0 },
  };
}

export interface TestStep {
  readonly x: Float32Array<ArrayBuffer>; // [tokens, hidden]
  readonly ids: Uint32Array<ArrayBuffer>; // [tokens, topK], different within a token
  readonly weights: Float32Array<ArrayBuffer>; // [tokens, topK]
}

/** A random step. `skew` > 1 prefers low experts. */
export function testStep(
  tokens: number,
  { experts, hidden, topK }: Omit<ExpertShape, 'width'>,
  seed = 7,
  skew = 1,
): TestStep {
  const next = randomStream(seed);
  const ids = new Uint32Array(tokens * topK);
  for (let t = 0; t < tokens; t += 1) {
    const chosen = new Set<number>();
    while (chosen.size < topK) chosen.add(Math.floor(experts * next() ** skew));
    ids.set([...chosen], t * topK);
  }
  const weights = Float32Array.from(ids, () => 0.1 + next() / topK);
  return { x: randomNormal(tokens * hidden, seed + 1), ids, weights };
}
