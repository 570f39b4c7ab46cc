/**
 * The streamer's bookkeeping under random work: tokens, guesses, prompts, fills, reads that come late, out of order, or
 * never. The stand-in for the GPU does what a queue does with copies, in order; each record carries its name.
 */
import { describe, expect, test } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { uniform } from '../engine/talk/random.ts';
import type { Buffer } from '../gpu/buffer.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Copy } from '../gpu/recorder.ts';
import { ABSENT_SLOT } from '../graph/experts.ts';
import type { RecordLayout } from '../weights/record.ts';
import { ema, lru, random } from './policy.ts';
import { slotOfEntry } from './pools.ts';
import { Prefetches } from './prefetch.ts';
import { evenRecords } from './pools.ts';
import { ExpertStore } from './store.ts';
import { ExpertStreamer } from './streamer.ts';
import { RecordTiers } from './tiers.ts';

const RECORD_WORDS = 4;
const RECORD_BYTES = 4 * RECORD_WORDS;
const TORN = -1; // a record of two names
const POISON = 0xdead;
const layout: RecordLayout = { parts: {}, sizeBytes: RECORD_BYTES };

/** Where bytes lie, and nothing else. */
class Memory {
  readonly #bytes = new Map<unknown, Uint8Array>();
  readonly gpu = {
    limits: { maxBindingBytes: 2 ** 20, maxBufferSizeBytes: 2 ** 20 },
    allocating: async <T>(_: string, create: () => T) => create(),
    createBuffer: ({ sizeBytes }: { sizeBytes: number }) => {
      const buffer = { sizeBytes, dispose() {} };
      this.#bytes.set(buffer, new Uint8Array(sizeBytes));
      return buffer;
    },
    write: (buffer: Buffer, offsetBytes: number, view: ArrayBufferView) =>
      this.of(buffer).set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), offsetBytes),
  } as unknown as Gpu;

  of(buffer: Buffer): Uint8Array {
    return this.#bytes.get(buffer) ?? expect.fail('no such buffer');
  }

  readonly copy = (copies: readonly Copy[]) => {
    for (const { from, fromOffsetBytes, to, toOffsetBytes, sizeBytes } of copies) {
      this.of(to).set(this.of(from).slice(fromOffsetBytes, fromOffsetBytes + sizeBytes), toOffsetBytes);
    }
  };

  /** What kernels find when they look for a unit: the slot, and the names in the record; undefined where it is absent. */
  look(store: ExpertStore, layer: number, unit: number): { slot: number; name: number } | undefined {
    const { table } = store;
    if (table.kind !== 'buffer') return expect.fail('no table');
    const entry = this.#words(table.buffer)[layer * store.unitsPerLayer + unit] ?? ABSENT_SLOT;
    if (entry === ABSENT_SLOT) return undefined;
    const pool = store.pools(layer)[entry >>> 24];
    if (pool?.kind !== 'buffer') return expect.fail(`no pool ${entry >>> 24}`);
    const at = (entry & 0xffffff) * RECORD_WORDS;
    const record = this.#words(pool.buffer).subarray(at, at + RECORD_WORDS);
    const [name = 0] = record;
    return {
      slot: slotOfEntry(store.plan, entry),
      name: record.every((word) => word === name) ? name : TORN,
    };
  }

  #words(buffer: Buffer): Uint32Array {
    return new Uint32Array(this.of(buffer).buffer);
  }
}

const nameOf = (layer: number, unit: number): number => 1000 * (layer + 1) + unit;

/** Reads that end when a test lets them: in any order, well or not. */
class Line {
  readonly waiting: { key: number; end(): void }[] = [];
  isDown = false;
  twice = 0; // reads of what was being read
  readonly #next: () => number;
  readonly #failures: number;

  constructor(next: () => number, failures: number) {
    this.#next = next;
    this.#failures = failures;
  }

  readonly read = (layer: number, unit: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> => {
    const key = nameOf(layer, unit);
    if (this.waiting.some((one) => one.key === key)) this.twice += 1;
    return new Promise((resolve, reject) => {
      const end = () => {
        if (this.isDown || this.#next() < this.#failures) {
          reject(new AtomoeError('network', `no line for ${key}`));
        } else resolve(new Uint8Array(new Uint32Array(RECORD_WORDS).fill(key).buffer));
      };
      const one = { key, end };
      this.waiting.push(one);
      const giveUp = () => {
        const index = this.waiting.indexOf(one);
        if (index < 0) return;
        this.waiting.splice(index, 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', giveUp, { once: true });
    });
  };

  /** Ends some of the reads, in any order. */
  step(all = false): void {
    for (const one of this.waiting.splice(0)) {
      if (all || this.#next() < 0.5) one.end();
      else this.waiting.push(one);
    }
    if (this.waiting.length > 1 && this.#next() < 0.5) this.waiting.reverse();
  }
}

interface Shape {
  readonly layers: number;
  readonly units: number;
  readonly topK: number;
  readonly places: number;
  readonly reserved: number;
  readonly scratch: number;
  readonly held: number; // records in memory
  readonly failures: number; // share of reads
}

class Bench {
  readonly line: Line;
  readonly memory = new Memory();
  readonly shape: Shape;
  readonly streamer: ExpertStreamer<ExpertStore>;
  readonly store: ExpertStore;
  readonly #next: () => number;
  readonly #tiers: RecordTiers;

  private constructor(
    shape: Shape,
    next: () => number,
    make: (memory: Memory, tiers: RecordTiers) => ExpertStreamer<ExpertStore>,
    memory: Memory,
  ) {
    this.shape = shape;
    this.memory = memory;
    this.#next = next;
    this.line = new Line(next, shape.failures);
    this.#tiers = new RecordTiers({
      units: shape.units,
      recordBytes: RECORD_BYTES,
      hostBytes: shape.held * RECORD_BYTES,
      read: this.line.read,
      // Idle or busy, and always fast enough: which guesses are made follows from the seed alone.
      link: () => ({ utilisation: next() < 0.7 ? 0 : 0.95, bytesPerMs: Infinity }),
    });
    this.streamer = make(memory, this.#tiers);
    this.store = this.streamer.store;
  }

  static async open(shape: Shape, seed: number): Promise<Bench> {
    let step = 0;
    const next = () => uniform(seed, step++);
    const memory = new Memory();
    const { layers, units, topK, places, reserved, scratch } = shape;
    const size = evenRecords(layers, units, layout);
    const store = await ExpertStore.open(memory.gpu, size, { slots: { places, reserved } });
    const forPrompts =
      scratch === 0
        ? undefined
        : await ExpertStore.open(memory.gpu, size, {
            slots: { places: scratch, reserved: 0 },
            isShared: true,
          });
    const policy = [ema(), lru(), random(seed)][seed % 3] ?? ema();
    const poison = new Uint8Array(new Uint32Array(RECORD_WORDS).fill(POISON).buffer);
    const make = (_: Memory, tiers: RecordTiers) =>
      new ExpertStreamer({
        ...{ store, scratch: forPrompts, tiers, topK, policy, poison },
        copy: (moves) => memory.copy(moves.map(ExpertStore.copy)),
      });
    return new Bench(shape, next, make, memory);
  }

  /** A number from 0 to `below` - 1. */
  pick(below: number): number {
    return Math.floor(this.#next() * below);
  }

  /** Each unit once; the low ones more often. */
  choose(count: number): Uint32Array {
    const chosen = new Set<number>();
    while (chosen.size < count) chosen.add(Math.floor(this.#next() ** 2 * this.shape.units));
    return Uint32Array.from(chosen);
  }

  /** Lets reads end while somebody waits for them. */
  async until<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const watched = work.finally(() => (isOver = true));
    watched.catch(() => {});
    for (let turn = 0; !isOver; turn += 1) {
      if (turn > 10_000) expect.fail('it hangs');
      this.line.step(turn > 20);
      await turns();
    }
    return watched;
  }

  /** One token: every layer uses units, some of which the layer before foresaw. */
  async token(signal?: AbortSignal): Promise<void> {
    const { layers, topK } = this.shape;
    let units = this.choose(topK);
    for (let layer = 0; layer < layers; layer += 1) {
      const loading = this.streamer.demand(layer, units, topK, signal);
      const ahead = this.choose(topK);
      if (layer + 1 < layers) this.streamer.predict(layer + 1, ahead, topK);
      if (loading) await this.until(loading);
      this.checkReady(layer, units);
      units = this.#next() < 0.6 ? ahead : this.choose(topK);
      if (this.#next() < 0.3) this.line.step();
    }
  }

  /** A token of which some layers' units are known before the first one runs, and no others are loaded for those. */
  async known(signal?: AbortSignal): Promise<void> {
    const { layers, topK } = this.shape;
    const all = Array.from({ length: layers }, () => this.choose(topK));
    const isKnown = all.map(() => this.#next() < 0.7);
    const ahead = new Prefetches(this.streamer);
    this.streamer.ahead = ahead;
    try {
      for (const [layer, units] of all.entries()) if (isKnown[layer]) ahead.add(layer, units, topK, signal);
      for (const [layer, units] of all.entries()) {
        if (this.#next() < 0.3) this.line.step();
        await turns();
        const isThere = isKnown[layer] && !ahead.isComing(layer);
        const { misses } = this.streamer.counters;
        const loading = this.streamer.demand(layer, units, topK, signal);
        if (isThere) same(loading, undefined, 'nothing to wait for');
        if (isKnown[layer]) same(this.streamer.counters.misses, misses, 'misses of known units');
        if (loading) await this.until(loading);
        this.checkReady(layer, units);
      }
    } finally {
      await this.until(ahead.settle());
    }
  }

  async prompt(signal?: AbortSignal): Promise<void> {
    const { layers, units } = this.shape;
    const { scratch } = this.streamer;
    const tokens = 1 + this.pick(6);
    for (let layer = 0; layer < layers; layer += 1) {
      const uses = Uint32Array.from({ length: units }, () => Math.max(0, this.pick(tokens + 3) - 2));
      const used = [...uses.keys()].filter((unit) => (uses[unit] ?? 0) > 0);
      const seen: number[] = [];
      const wave = async () => {
        const store = scratch ?? this.store;
        for (let unit = 0; unit < units; unit += 1) {
          const found = this.memory.look(store, layer, unit);
          if (!found) continue;
          same(found.name, nameOf(layer, unit), 'in a wave');
          if (uses[unit]) seen.push(unit);
        }
        await turns();
      };
      await this.until(this.streamer.stream(layer, uses, tokens, true, wave, signal));
      expect(seen.sort((a, b) => a - b)).toEqual(used);
    }
  }

  async admit(): Promise<void> {
    const missing = this.streamer.nextAbsent();
    if (missing) await this.until(this.streamer.admit(missing.layer, missing.unit));
  }

  checkReady(layer: number, units: Uint32Array): void {
    for (const unit of units) {
      same(this.memory.look(this.store, layer, unit)?.name, nameOf(layer, unit), 'for a token');
    }
  }

  /** What must hold between any two steps. */
  check(): void {
    const { layers, units } = this.shape;
    const states = this.streamer.describe({ absent: 0, resident: 1, loading: 2, predicted: 3 });
    const taken = new Map<string, number>();
    for (let layer = 0; layer < layers; layer += 1) {
      for (let unit = 0; unit < units; unit += 1) {
        const found = this.memory.look(this.store, layer, unit);
        const state = states[layer * units + unit];
        if (found) {
          same(found.name, nameOf(layer, unit), 'in a slot');
          const slot = `${this.store.group(layer)}/${found.slot}`;
          same(taken.get(slot), undefined, `beside ${nameOf(layer, unit)} in slot ${slot}`);
          taken.set(slot, nameOf(layer, unit));
        }
        // While it is read (2) it may be either.
        if (state !== 2) same(found !== undefined, state !== 0, `${nameOf(layer, unit)} is there`);
      }
    }
    expect(this.streamer.isComplete).toBe(taken.size === layers * units);
    const { wasted, uploads, promptLoads, speculated, adopted } = this.streamer.counters;
    expect(wasted).toBeLessThanOrEqual(0.1 * (uploads + promptLoads + speculated + 1));
    expect(adopted + wasted).toBeLessThanOrEqual(speculated);
    expect(this.line.twice).toBe(0);
  }
}

/** `expect` costs more than all the rest, so only a difference asks for it. */
function same<T>(got: T, want: T, what: string): void {
  if (!Object.is(got, want)) expect(got, what).toBe(want);
}

/** Lets everything that waits for a promise continue. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await Promise.resolve();
}

/** What may end a step early here; anything else is a fault of the streamer. */
function survive(error: unknown): void {
  if (error instanceof AtomoeError && error.code === 'network') return;
  if (error instanceof DOMException && error.name === 'AbortError') return;
  throw error;
}

async function work(bench: Bench, steps: number): Promise<void> {
  for (let step = 0; step < steps; step += 1) {
    const abort = new AbortController();
    const signal = bench.pick(8) === 0 ? abort.signal : undefined;
    if (signal) void turns().then(() => abort.abort());
    bench.line.isDown = bench.pick(12) === 0;
    const kind = bench.pick(10);
    const run = [bench.token, bench.known, bench.prompt, bench.admit][
      [0, 0, 0, 0, 1, 1, 2, 2, 3, 3][kind] ?? 0
    ];
    await run?.call(bench, signal).catch(survive);
    bench.check();
    if (bench.pick(2) === 0) bench.line.step();
    await turns();
    bench.check();
  }
  // The line is back, and the rest of the story follows.
  bench.line.isDown = false;
}

const SHAPES: readonly (readonly [string, Shape])[] = [
  [
    'the least places',
    { layers: 3, units: 12, topK: 3, places: 3, reserved: 6, scratch: 6, held: 0, failures: 0.1 },
  ],
  [
    'some places',
    { layers: 4, units: 16, topK: 3, places: 7, reserved: 6, scratch: 6, held: 5, failures: 0.1 },
  ],
  [
    'many places',
    { layers: 2, units: 10, topK: 2, places: 9, reserved: 1, scratch: 4, held: 4, failures: 0.2 },
  ],
  [
    'a place for each',
    { layers: 3, units: 8, topK: 2, places: 8, reserved: 0, scratch: 0, held: 3, failures: 0.2 },
  ],
  [
    'nothing fails',
    { layers: 4, units: 16, topK: 3, places: 6, reserved: 6, scratch: 8, held: 0, failures: 0 },
  ],
];

describe.each(SHAPES)('%s', (_, shape) => {
  test.each(Array.from({ length: 8 }, (_, seed) => seed))('random work %i', async (seed) => {
    const bench = await Bench.open(shape, seed);
    await work(bench, 120);
    const { hits, misses, prefetched, speculated } = bench.streamer.counters;
    expect(Math.min(hits, misses)).toBeGreaterThan(0);
    if (shape.places < shape.units) expect(prefetched).toBeGreaterThan(0);
    if (shape.reserved > 0 && shape.failures === 0) expect(speculated).toBeGreaterThan(0);
  });
});
