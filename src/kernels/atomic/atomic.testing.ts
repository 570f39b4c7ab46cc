/** Pages of random one-neuron experts in shuffled slots, and random routes to them. Not part of the library. */
import type { AtomicPage } from './atomic-experts.reference.ts';
import { ABSENT_SLOT, slotNumber, type PoolCount } from '../experts/expert-pool.ts';
import { randomStream, type Values } from '../testing.ts';
import { testWeights } from '../weights.testing.ts';
import type { FormatName } from '../../weights/formats/index.ts';

export interface AtomicTable {
  readonly pools: Readonly<Record<string, Values>>; // pool0, ...
  readonly table: Uint32Array<ArrayBuffer>; // one unused entry, then a slot per page
  readonly params: {
    readonly page_experts: number;
    readonly table_base: number;
    readonly slot_vec4: number;
    readonly in_base: number;
    readonly in_scales: number;
    readonly out_base: number;
    readonly out_scales: number;
  };
  readonly page: (number: number) => AtomicPage;
}

const ALIGNMENT = 64; // words: parts of a record begin on 256-byte boundaries

function alignWords(words: number): number {
  return Math.ceil(words / ALIGNMENT) * ALIGNMENT;
}

export function atomicTable(
  format: FormatName,
  pools: PoolCount,
  {
    pages,
    pageExperts,
    hidden,
    absent,
  }: { pages: number; pageExperts: number; hidden: number; absent?: number },
): AtomicTable {
  const records = Array.from({ length: pages }, (_, page) => ({
    in: testWeights(format, pageExperts, hidden, 100 + 2 * page),
    out: testWeights(format, pageExperts, hidden, 101 + 2 * page),
  }));
  const partWords = alignWords(records[0]?.in.words.length ?? 0);
  const scales = records[0]?.in.scales ?? 0;
  const slotWords = 2 * partWords;
  const slotsPerPool = Math.ceil(pages / pools);
  const memory = Array.from({ length: pools }, () => new Uint32Array(slotsPerPool * slotWords));
  const table = new Uint32Array(1 + pages).fill(ABSENT_SLOT);
  for (const [page, record] of records.entries()) {
    if (page === absent) continue;
    const pool = page % pools;
    const index = slotsPerPool - 1 - Math.floor(page / pools); // not in order
    memory[pool]?.set(record.in.words, index * slotWords);
    memory[pool]?.set(record.out.words, index * slotWords + partWords);
    table[1 + page] = slotNumber(pool, index);
  }
  return {
    pools: Object.fromEntries(memory.map((words, pool) => [`pool${pool}`, words])),
    table,
    params: {
      page_experts: pageExperts,
      table_base: 1,
      slot_vec4: slotWords / 4,
      in_base: 0,
      in_scales: scales,
      out_base: partWords / 4,
      out_scales: scales === 0 ? 0 : partWords + scales,
    },
    page: (number) => {
      const record = number === absent ? undefined : records[number];
      return record && { in: record.in.values, out: record.out.values };
    },
  };
}

/** Random ids with possible duplicates, as in published benchmarks. */
export function randomIds(count: number, experts: number, seed: number): Uint32Array<ArrayBuffer> {
  const next = randomStream(seed);
  return Uint32Array.from({ length: count }, () => Math.floor(experts * next()));
}
