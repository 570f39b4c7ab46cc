/** The check that less memory changes no bit: on a real model, and what it says where something is wrong. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Engine } from '../src/engine/api.ts';
import { createEngine } from '../src/engine/index.ts';
import { nodeFolder } from '../src/node.ts';
import { describeSelfTest, firstDifference, runSelfTest } from './self-test.ts';

const IDS = [411, 1037, 297, 260, 1023, 14];

let engine: Engine;

beforeAll(async () => {
  engine = await createEngine({ device: 'cpu', threads: 1 });
  await engine.load(await nodeFolder(new URL('public/models/fable-moe-12m', import.meta.url).pathname));
});

afterAll(() => engine.dispose());

function run(tested: Engine, progress: string[] = []) {
  const onProgress = (sentence: string) => void progress.push(sentence);
  return runSelfTest(tested, { version: '0', ids: IDS, onProgress });
}

/** The engine, with one method in place of its own. */
function changed(changes: Partial<Engine>): Engine {
  return new Proxy(engine, {
    get(target, name) {
      const value: unknown = Reflect.get(name in changes ? changes : target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

test('all in memory, half of the room and the least: the same bits, and the memory is as it was', async () => {
  const before = engine.model?.plan.slotsPerLayer;
  const progress: string[] = [];
  const report = await run(engine, progress);
  expect(report).toMatchObject({ isSame: true, against: 'all in memory', ids: IDS, difference: undefined });
  expect(report.runs.map(({ policy }) => policy)).toEqual(['ema', 'lru', 'ema']);
  const [all, half, least] = report.runs.map(({ places }) => places);
  expect([all, half, least].toSorted((a = 0, b = 0) => b - a)).toEqual([all, half, least]);
  expect(least).toBeLessThan(half ?? 0);
  expect(half).toBeLessThan(all ?? 0);
  expect(report.runs[2]?.misses).toBeGreaterThan(0);
  expect(new Set(report.runs.map(({ sha256 }) => sha256)).size).toBe(1);
  expect(progress).toHaveLength(3);
  expect(describeSelfTest(report)).toMatch(/^The same: 24,576 logits are equal bit for bit with all experts/);
  expect(engine.model?.plan.slotsPerLayer).toBe(before);
});

test('one bit that differs is found and named', async () => {
  let runs = 0;
  const logits: Engine['logits'] = async (ids, mode) => {
    const values = await engine.logits(ids, mode);
    if (++runs === 2) new Uint32Array(values.buffer)[4096 + 7]! ^= 1;
    return values;
  };
  const report = await run(changed({ logits }));
  expect(report).toMatchObject({
    isSame: false,
    difference: { run: 'half of the room', position: 1, id: 7 },
  });
  expect(describeSelfTest(report)).toContain('the logit of token 7 at position 1 differs');
});

test('where not all experts fit, three budgets are compared, and it is said', async () => {
  const resize: Engine['resize'] = async (change) => {
    const plan = await engine.resize(change);
    return { ...plan, bytes: { ...plan.bytes, experts: plan.bytes.allExperts - 1 } };
  };
  const report = await run(changed({ resize }));
  expect(report).toMatchObject({ isSame: true, against: 'another budget' });
  expect(describeSelfTest(report)).toContain('Not all experts fit here');
});

test('bits are compared, not values: minus zero is not zero, and a NaN equals itself', () => {
  const values = Float32Array.of(0, Number.NaN, 1);
  expect(firstDifference('a', values, Float32Array.of(0, Number.NaN, 1), 3)).toBeUndefined();
  expect(firstDifference('a', values, Float32Array.of(-0, Number.NaN, 1), 3)).toMatchObject({ id: 0 });
  expect(firstDifference('a', values, values.subarray(0, 2), 3)).toMatchObject({ position: 0, id: 2 });
});
