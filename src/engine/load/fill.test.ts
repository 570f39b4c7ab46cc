/** The base of records is read ahead, that of all hot experts before the rest of any; nobody sees a record in part. */
import { expect, test } from 'vitest';
import { BaseRecords, type RecordPlanes } from '../../experts/base-records.ts';
import { fillExperts } from './fill.ts';
import { JobQueue } from '../run/queue.ts';
import type { RunnerExperts } from '../run/runner.ts';
import { lfu } from '../../experts/policy.ts';
import { evenRecords, homeSlot, planPools } from '../../experts/pools.ts';
import type { SlotStore } from '../../experts/slot-store.ts';
import { ExpertStreamer } from '../../experts/streamer.ts';
import { RecordTiers } from '../../experts/tiers.ts';

const [LAYERS, UNITS, BASE, REST] = [2, 4, 6, 4];

const withBases = (planes: Omit<RecordPlanes, 'open'>): RecordPlanes => ({
  ...planes,
  open: (options) => new BaseRecords(planes, options),
});

const recordOf = (layer: number, unit: number) =>
  Uint8Array.from({ length: BASE + REST }, (_, i) => 100 * layer + 20 * unit + i);

interface Opened {
  readonly tiers: RecordTiers;
  readonly streamer: ExpertStreamer;
  readonly reads: string[];
  readonly written: Map<string, Uint8Array>;
}

function open({ places = UNITS, hostBytes = 1000 } = {}): Opened {
  const reads: string[] = [];
  const written = new Map<string, Uint8Array>();
  const part = (name: string, begin: number, end: number) => async (layer: number, unit: number) => {
    reads.push(`${name} ${layer}.${unit}`);
    return recordOf(layer, unit).slice(begin, end);
  };
  const tiers = new RecordTiers({
    ...{ units: UNITS, recordBytes: BASE + REST, hostBytes },
    read: part('whole', 0, BASE + REST),
    planes: withBases({
      baseBytes: BASE,
      readBase: part('base', 0, BASE),
      readRest: part('rest', BASE, BASE + REST),
    }),
  });
  const shape = evenRecords(LAYERS, UNITS, { parts: {}, sizeBytes: BASE + REST });
  const plan = planPools(shape, 2 ** 20, { places, reserved: 0 });
  const slots = new Map<string, number | undefined>();
  const store: SlotStore = {
    ...shape,
    ...{ plan, records: LAYERS * UNITS, group: () => 0 },
    home: (layer, place) => homeSlot(plan, layer, place),
    write: (layer, slot, record) => void written.set(`${layer}.${slot}`, record.slice()),
    point: (layer, unit, slot) => void slots.set(`${layer} ${unit}`, slot),
    slotOf: (layer, unit) => slots.get(`${layer} ${unit}`),
    ...{ flush() {}, markAllPresent() {}, clear() {}, dispose() {} },
  };
  const streamer = new ExpertStreamer({
    ...{ store, scratch: undefined, tiers, topK: 2, policy: lfu(), copy() {} },
  });
  return { tiers, streamer, reads, written };
}

const signal = () => new AbortController().signal;

test('a record with a base is completed by its rest alone, and is the whole one', async () => {
  const { tiers, reads } = open();
  expect(await tiers.bases!.read(1, 2, signal())).toBe(true);
  expect(tiers.bases!.has(1, 2)).toBe(true);
  expect(await tiers.bases!.read(1, 2, signal())).toBe(false); // once
  const record = await tiers.read(1, 2);
  expect(record).toEqual(recordOf(1, 2));
  expect(tiers.bases!.has(1, 2)).toBe(false);
  expect(reads).toEqual(['base 1.2', 'rest 1.2']);
  tiers.done(record);
  expect(await tiers.bases!.read(1, 2, signal())).toBe(false); // the record is kept
  expect(await tiers.read(0, 0)).toEqual(recordOf(0, 0));
  expect(reads.at(-1)).toBe('whole 0.0');
});

test('who needs a record whose base is on its way waits for both parts', async () => {
  const { tiers, reads } = open();
  const base = tiers.bases!.read(0, 3, signal());
  expect(await tiers.read(0, 3)).toEqual(recordOf(0, 3));
  await base;
  expect(reads).toEqual(['base 0.3', 'rest 0.3']);
});

test('a base that could not be read is not kept, and the record is read whole', async () => {
  const reads: string[] = [];
  const tiers = new RecordTiers({
    ...{ units: UNITS, recordBytes: BASE + REST, hostBytes: 0 },
    read: async (layer, unit) => {
      reads.push('whole');
      return recordOf(layer, unit);
    },
    planes: withBases({
      baseBytes: BASE,
      readBase: () => Promise.reject(new Error('the line is down')),
      readRest: () => Promise.reject(new Error('not asked for')),
    }),
  });
  await expect(tiers.bases!.read(0, 0, signal())).rejects.toThrow('the line is down');
  expect(await tiers.read(0, 0)).toEqual(recordOf(0, 0));
  expect(reads).toEqual(['whole']);
});

/** Fills, when no reply runs. */
async function fill({ tiers, streamer }: Opened, keep: Parameters<typeof fillExperts>[0]['keep'] = []) {
  const memory = { streamer, tiers } as unknown as RunnerExperts;
  await fillExperts({ memory, queue: new JobQueue(), keep, signal: signal() });
}

test('filling reads the bases of all, hottest first, then the rest of each', async () => {
  const opened = open();
  const { streamer, reads, written } = opened;
  await streamer.stream(0, Uint32Array.of(0, 0, 0, 3), 3, false, () => {});
  await streamer.stream(1, Uint32Array.of(0, 5, 0, 0), 5, false, () => {});
  for (const layer of [0, 1]) streamer.policy(layer).observe(Uint32Array.of(1, 0, layer === 0 ? 4 : 2, 0), 4);
  reads.length = 0;
  await fill(opened);
  expect(reads.slice(0, 6)).toEqual(['base 0.2', 'base 1.2', 'base 0.0', 'base 1.0', 'base 0.1', 'base 1.3']);
  expect(reads.slice(6)).toEqual(['rest 0.2', 'rest 0.0', 'rest 0.1', 'rest 1.2', 'rest 1.0', 'rest 1.3']);
  expect(streamer.isComplete).toBe(true);
  for (let layer = 0; layer < LAYERS; layer += 1) {
    for (let unit = 0; unit < UNITS; unit += 1) {
      expect(written.get(`${layer}.${streamer.store.slotOf(layer, unit)}`)).toEqual(recordOf(layer, unit));
    }
  }
});

test('with fewer places a disk gets the bases of all experts first, and then the whole of each', async () => {
  const opened = open({ places: 2 });
  const kept: string[] = [];
  const keep = ['base', 'whole'].map((name) => async (layer: number, unit: number) => {
    kept.push(`${name} ${layer}.${unit}`);
  });
  opened.streamer.policy(1).observe(Uint32Array.of(0, 0, 0, 9), 9);
  await fill(opened, keep);
  const order = ['0.0', '0.1', '0.2', '0.3', '1.3', '1.0', '1.1', '1.2'];
  expect(kept).toEqual([...order.map((at) => `base ${at}`), ...order.map((at) => `whole ${at}`)]);
});
