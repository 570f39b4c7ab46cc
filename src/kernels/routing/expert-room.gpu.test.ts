import { expect, test } from 'vitest';
import { numbers, runKernel, testGpu } from '../testing.ts';
import { capacityReference } from './capacity.reference.ts';
import { expertRoom } from './expert-room.ts';
import { expertRoomReference } from './expert-room.reference.ts';

const gpu = await testGpu();

const EXPERTS = 7;

/** Ids [count, k], each expert of a token once. */
const choices = (count: number, k: number) =>
  Uint32Array.from({ length: count * k }, (_, at) => (3 * Math.floor(at / k) ** 2 + 2 * (at % k)) % EXPERTS);

test.each([
  [1, 0, 2, 1],
  [1, 40, 3, 6],
  [33, 0, 2, 4],
  [70, 9, 3, 5],
])('%i tokens after %i, %i choices, room for %i', async (tokens, past, k, room) => {
  const all = choices(past + tokens, k);
  const chosen = all.slice();
  chosen.fill(0, past * k);
  const ids = all.slice(past * k);
  const want = expertRoomReference(ids, chosen, { tokens, past, k, room });
  expect(want.chosen).toEqual(all);
  for (const keeps of [0, 1]) {
    const [variant] = expertRoom.variants;
    const found = await runKernel(gpu, expertRoom, variant!, {
      buffers: { ids, chosen: chosen.slice(), given: { type: 'u32', count: tokens * k } },
      params: { tokens, past, k, room, keeps },
      size: { tokens, k },
    });
    expect(numbers(found.given)).toEqual(Float32Array.from(want.given));
    expect(numbers(found.chosen)).toEqual(Float32Array.from(keeps === 1 ? all : chosen));
  }
});

test('the reference drops what the capacity of the whole sequence drops', () => {
  const [tokens, k, room] = [40, 2, 5];
  const ids = choices(tokens, k);
  const rule = { room: { tokens: room }, order: 'token', overflow: 'drop', fill: false } as const;
  const sizes = { tokens, experts: EXPERTS, k };
  const want = capacityReference(ids, new Float32Array(tokens * EXPERTS), undefined, rule, sizes);
  let chosen: Uint32Array = new Uint32Array(tokens * k);
  const found: number[] = [];
  for (const [past, end] of [
    [0, 17],
    [17, 18],
    [18, 40],
  ] as const) {
    const step = expertRoomReference(ids.subarray(past * k, end * k), chosen, {
      tokens: end - past,
      past,
      k,
      room,
    });
    chosen = step.chosen;
    found.push(...step.given);
  }
  const isNone = (id: number) => id >= EXPERTS;
  expect(found.map((id) => (isNone(id) ? -1 : id))).toEqual([...want].map((id) => (isNone(id) ? -1 : id)));
  expect(found.some(isNone)).toBe(true);
});
