import { expect, test } from 'vitest';
import { takeMemory } from '../io/spare-memory.ts';
import { RecordTiers } from './tiers.ts';

const BYTES = 16;

/** Tiers over a reader whose reads end when the test says so. */
function bench(hostRecords: number, mostReads = 100) {
  const reads: { key: string; signal: AbortSignal; end: (error?: Error) => void }[] = [];
  const tiers = new RecordTiers({
    units: 8,
    recordBytes: BYTES,
    hostBytes: hostRecords * BYTES,
    mostReadingBytes: mostReads * BYTES,
    read: (layer, unit, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        const record = new Uint8Array(BYTES).fill(8 * layer + unit);
        reads.push({
          key: `${layer} ${unit}`,
          signal,
          end: (error) => (error ? reject(error) : resolve(record)),
        });
      }),
  });
  const end = (key: string, error?: Error) => reads.find((read) => read.key === key)?.end(error);
  return { tiers, reads, end, keys: () => reads.map(({ key }) => key) };
}

test('what was used last stays in memory', async () => {
  const { tiers, end, keys } = bench(2);
  const read = async (unit: number) => {
    const record = tiers.read(0, unit);
    end(`0 ${unit}`);
    return (await record)[0];
  };
  expect([await read(1), await read(2)]).toEqual([1, 2]);
  expect(tiers.peek(0, 1)?.[0]).toBe(1);
  await read(3);
  expect([tiers.peek(0, 1)?.[0], tiers.peek(0, 2)?.[0], tiers.peek(0, 3)?.[0]]).toEqual([1, undefined, 3]);
  expect(tiers.heldBytes).toBe(2 * BYTES);
  tiers.resize(BYTES);
  expect([tiers.peek(0, 1)?.[0], tiers.peek(0, 3)?.[0]]).toEqual([undefined, 3]);
  expect(keys()).toEqual(['0 1', '0 2', '0 3']);
});

test('one read for all who ask, and an abort leaves it to the others', async () => {
  const { tiers, end, keys } = bench(0);
  const abort = new AbortController();
  const first = tiers.read(1, 2, abort.signal);
  const second = tiers.read(1, 2);
  abort.abort(new Error('enough'));
  await expect(first).rejects.toThrow('enough');
  end('1 2');
  expect((await second)[0]).toBe(10);
  expect(keys()).toEqual(['1 2']);
  expect(tiers.counters).toMatchObject({ reads: 1, joined: 1, readBytes: BYTES });
  const third = tiers.read(1, 2);
  expect(keys()).toHaveLength(2); // nothing is kept here
  tiers.dispose();
  await expect(third).rejects.toThrow('disposed');
});

test('what is needed comes before guesses, unless somebody needs those too', async () => {
  const { tiers, reads, end, keys } = bench(8);
  const idle = tiers.guess(0, 1);
  const wanted = tiers.guess(0, 2);
  const joined = tiers.read(0, 2);
  expect(reads.map(({ signal }) => signal.aborted)).toEqual([false, false]);
  const needed = tiers.read(0, 3);
  expect(reads.map(({ signal }) => signal.aborted)).toEqual([true, false, false]);
  await expect(idle).rejects.toThrow('given up');
  for (const key of ['0 2', '0 3']) end(key);
  expect([(await wanted)[0], (await joined)[0], (await needed)[0]]).toEqual([2, 2, 3]);
  const again = tiers.read(0, 1);
  await Promise.resolve();
  expect(keys()).toEqual(['0 1', '0 2', '0 3', '0 1']);
  reads.at(-1)?.end();
  expect((await again)[0]).toBe(1);
  expect(tiers.counters.preempted).toBe(1);
});

test('a read that failed is tried again by who asks next', async () => {
  const { tiers, reads, end } = bench(8);
  const first = tiers.read(0, 1);
  end('0 1', new Error('gone'));
  await expect(first).rejects.toThrow('gone');
  const second = tiers.read(0, 1);
  reads.at(-1)?.end();
  expect((await second)[0]).toBe(1);
});

test('the link is busy while something is read', async () => {
  const { tiers, end } = bench(8);
  const startedMs = performance.now();
  expect(tiers.link(startedMs)).toEqual({ utilisation: 0, bytesPerMs: Infinity });
  const record = tiers.read(0, 1);
  expect(tiers.link(startedMs + 60_000).utilisation).toBeGreaterThan(0.99);
  end('0 1');
  await record;
});

test('few records are read at a time, and who gives up leaves the queue', async () => {
  const { tiers, end, keys } = bench(0, 2);
  const abort = new AbortController();
  const [first, second] = [tiers.read(0, 0), tiers.read(0, 1)];
  const guess = tiers.guess(0, 2);
  const third = tiers.read(0, 3, abort.signal); // preempts the guess, which waits
  await expect(guess).rejects.toThrow('given up');
  const fourth = tiers.read(0, 4);
  expect(keys()).toEqual(['0 0', '0 1']);
  end('0 0');
  await first;
  await expect.poll(keys).toEqual(['0 0', '0 1', '0 3']);
  abort.abort(new Error('enough')); // the read goes on for others
  await expect(third).rejects.toThrow('enough');
  end('0 1', new Error('broken'));
  await expect(second).rejects.toThrow('broken');
  await expect.poll(keys).toEqual(['0 0', '0 1', '0 3', '0 4']);
  end('0 3');
  end('0 4');
  expect((await fourth)[0]).toBe(4);
});

test('memory is used again when all are done with a record that is not kept', async () => {
  const recordBytes = 128 * 1024;
  const read = (_layer: number, unit: number) => Promise.resolve(takeMemory(recordBytes).fill(unit));
  const none = new RecordTiers({ units: 8, recordBytes, hostBytes: 0, read });
  const [first, same] = await Promise.all([none.read(0, 1), none.guess(0, 1)]);
  expect(same).toBe(first);
  none.done(first);
  expect(takeMemory(recordBytes)).not.toBe(first); // the guess still has it
  none.done(first);
  expect(() => none.done(first)).toThrow('no tier');
  expect(await none.read(0, 2)).toBe(first);

  const one = new RecordTiers({ units: 8, recordBytes, hostBytes: recordBytes, read });
  const kept = await one.read(0, 3);
  one.done(kept);
  expect(one.peek(0, 3)).toBe(kept);
  const next = await one.read(0, 4); // takes its place, but it is in use
  expect([next === kept, kept[0]]).toEqual([false, 3]);
  one.done(kept);
  expect(takeMemory(recordBytes)).toBe(kept);
});

test('a reader that gave up leaves the memory alone', async () => {
  const recordBytes = 128 * 1024;
  const read = () => Promise.resolve(takeMemory(recordBytes));
  const tiers = new RecordTiers({ units: 8, recordBytes, hostBytes: 0, read });
  const abort = new AbortController();
  const left = tiers.read(0, 1, abort.signal);
  const other = tiers.read(0, 1);
  abort.abort(new Error('enough'));
  await expect(left).rejects.toThrow('enough');
  const record = await other;
  tiers.done(record);
  expect(takeMemory(recordBytes)).not.toBe(record);
});
