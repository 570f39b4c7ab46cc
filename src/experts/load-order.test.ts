/** In which order experts are read: hottest first, and of as hot ones in the order of the file. */
import { expect, test } from 'vitest';
import { LayerCache, NONE } from './layer-cache.ts';
import { lfu } from './policy.ts';
import { evenRecords, homeSlot, planPools } from './pools.ts';
import { KnownStep } from './prefetch.ts';
import type { SlotStore } from './slot-store.ts';
import { ExpertStreamer } from './streamer.ts';
import { RecordTiers } from './tiers.ts';

const UNITS = 8;
const RECORD_BYTES = 4;

/** Slots that hold nothing. */
function emptySlots(places: number, layers: number): SlotStore {
  const shape = evenRecords(layers, UNITS, { parts: {}, sizeBytes: RECORD_BYTES });
  const plan = planPools(shape, 2 ** 20, { places, reserved: 0 });
  const slots = new Map<string, number | undefined>();
  return {
    ...shape,
    plan,
    records: UNITS,
    group: () => 0,
    home: (layer, place) => homeSlot(plan, layer, place),
    write() {},
    point: (layer, unit, slot) => void slots.set(`${layer} ${unit}`, slot),
    slotOf: (layer, unit) => slots.get(`${layer} ${unit}`),
    flush() {},
    markAllPresent() {},
    clear() {},
    dispose() {},
  };
}

interface Sizes {
  readonly places: number;
  readonly scratch: number;
  readonly order?: number[];
  readonly layers?: number;
}

function open({ places, scratch, order, layers = 1 }: Sizes) {
  const reads: number[] = []; // 100 for each layer before
  const waves: number[][] = []; // what was read before each
  const tiers = new RecordTiers({
    units: UNITS,
    recordBytes: RECORD_BYTES,
    hostBytes: 0,
    read: async (layer, unit) => {
      reads.push(100 * layer + unit);
      return new Uint8Array(RECORD_BYTES);
    },
  });
  const streamer = new ExpertStreamer({
    store: emptySlots(places, layers),
    scratch: scratch > 0 ? emptySlots(scratch, layers) : undefined,
    tiers,
    topK: 2,
    policy: lfu(),
    order: order && [order],
    copy() {},
  });
  const wave = () => void waves.push(reads.splice(0));
  return { streamer, reads, waves, wave };
}

test('a prompt in waves reads those with the most tokens first; one that leaves comes before them', async () => {
  const { streamer, reads, waves, wave } = open({ places: 2, scratch: 2 });
  await streamer.demand(0, Uint32Array.of(6, 5), 2);
  reads.length = 0;
  // 6 and 5 are resident, and make room for 4 and 1.
  const uses = Uint32Array.of(1, 7, 2, 0, 9, 1, 1, 3);
  await streamer.stream(0, uses, 10, true, wave);
  expect(waves).toEqual([[], [4, 1], [7, 2], [0]]);
});

test('of as many tokens, neighbours in the file come together', async () => {
  const { streamer, waves, wave } = open({ places: 2, scratch: 2, order: [7, 2, 5, 0, 4, 1, 6, 3] });
  await streamer.stream(0, Uint32Array.of(1, 2, 1, 1, 1, 1, 1, 1), 4, true, wave);
  expect(waves).toEqual([
    [1, 7],
    [2, 5],
    [0, 4],
    [6, 3],
  ]);
});

test('without waves a prompt reads by its uses, too', async () => {
  const { streamer, waves, wave } = open({ places: UNITS, scratch: 0 });
  await streamer.stream(0, Uint32Array.of(1, 7, 2, 0, 9, 1, 1, 3), 10, true, wave);
  expect(waves[0]?.slice(0, 4)).toEqual([4, 1, 7, 2]);
});

test('what is absent comes by its uses so far, and then in the order of the file', async () => {
  const { streamer } = open({ places: UNITS, scratch: 0, order: [7, 2, 5, 0, 4, 1, 6, 3] });
  expect(streamer.nextAbsent()).toEqual({ layer: 0, unit: 7 });
  const cache = new LayerCache(UNITS, 2, lfu()({ units: UNITS, topK: 2, layer: 0, seed: 0 }));
  for (const units of [
    [3, 4],
    [3, 5],
    [6, 0],
    [6, 3],
    [1, 2],
  ])
    cache.access(Uint32Array.from(units), units.length);
  expect(cache.hottestAbsent()).toBe(3); // three times
  cache.access(Uint32Array.of(3), 1);
  expect(cache.hottestAbsent()).toBe(6); // twice
  const all = new LayerCache(1, 1, lfu()({ units: 1, topK: 1, layer: 0, seed: 0 }));
  all.access(Uint32Array.of(0), 1);
  expect(all.hottestAbsent()).toBe(NONE);
});

test('a prompt whose routes are known reads the next layer while the last lot runs: what it uses, each once', async () => {
  const { streamer, reads } = open({ places: 2, scratch: 3, layers: 3 });
  const routes = [
    [[0, 1, 2], [0, 1], [0]],
    [[5, 6, 7], [6, 4], [6, 7], undefined], // of the last token nothing is known
    [[1], [2], [2]],
  ];
  await streamer.demand(2, Uint32Array.of(1, 3), 2); // is there
  reads.length = 0;
  const units = {
    list: new Uint32Array(8),
    of: (_: number, ids: ArrayLike<number>) => copied(units.list, ids),
  };
  const step = new KnownStep({ experts: (layer, ahead) => routes[layer]?.[ahead] });
  step.beginPrompt(streamer, units, 4, undefined);
  expect(reads.splice(0)).toEqual([0, 1, 2]);
  const seen: number[][] = [];
  const run = (layer: number, uses: number[]) =>
    streamer.stream(layer, Uint32Array.from(uses), 4, true, () => void seen.push(reads.splice(0)));
  await run(0, [3, 2, 1, 0, 0, 0, 0, 0]);
  expect(reads).toEqual([106, 107, 104]); // as many as a lot has
  await run(1, [0, 0, 0, 1, 1, 1, 3, 2]); // 3 is the last token's
  expect(reads).toEqual([202]);
  await run(2, [0, 1, 2, 0, 0, 0, 0, 0]);
  expect(seen).toEqual([[], [106, 107, 104, 103], [105], [202]]);
  expect(reads).toEqual([]);
});

test('a prompt reads what an earlier layer has decided for the next one while its last lot runs', async () => {
  const { streamer, reads } = open({ places: 2, scratch: 3, layers: 3 });
  const units = { list: new Uint32Array(8), of: () => 0 };
  new KnownStep({ experts: () => undefined }).beginPrompt(streamer, units, 4, undefined);
  expect(reads).toEqual([]);
  streamer.prompt?.decide(1, Uint32Array.of(0, 0, 0, 0, 1, 0, 3, 2));
  const seen: number[][] = [];
  const run = (layer: number, uses: number[]) =>
    streamer.stream(layer, Uint32Array.from(uses), 4, true, () => void seen.push(reads.splice(0)));
  await run(0, [3, 2, 1, 0, 0, 0, 0, 0]);
  expect(reads).toEqual([106, 107, 104]);
  await run(1, [0, 0, 0, 0, 1, 0, 3, 2]);
  expect(reads).toEqual([]); // nothing is known of the last layer
  expect(seen).toEqual([
    [0, 1, 2],
    [106, 107, 104],
  ]);
});

function copied(to: Uint32Array, ids: ArrayLike<number>): number {
  to.set(ids);
  return ids.length;
}
