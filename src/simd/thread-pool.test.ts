/** Jobs are done once, whichever thread does them, and jobs follow jobs without anyone taking part in a wrong one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SimdMemory, type SimdModule } from './memory.ts';
import { openKernels } from './modules.ts';
import { startNodeThreads } from './node-threads.ts';

const COLS = 1024;
const OUTS = 512;
const F32 = 0; // the format's number

let module: SimdModule;

beforeAll(async () => {
  const opened = await openKernels({ threads: 3, startThreads: startNodeThreads });
  if ('reason' in opened) throw new Error(opened.message);
  module = opened;
});

afterAll(() => module.threads?.dispose());

test('a thousand jobs over two memories give what one call gives, and threads do part of them', async () => {
  const { threads } = module;
  const memories = [new SimdMemory(module), new SimdMemory(module)].map((memory, index) => {
    const at = {
      x: memory.alloc(4 * COLS),
      w: memory.alloc(4 * COLS * OUTS),
      y: memory.alloc(4 * OUTS),
      scratch: memory.alloc(3 * 2 ** 18),
    };
    memory.floats(at.x, COLS).forEach((_, c, x) => (x[c] = Math.sin(c + index)));
    memory.floats(at.w, COLS * OUTS).forEach((_, c, w) => (w[c] = Math.cos(c * 0.37 + index)));
    return { memory, at };
  });
  expect(await threads?.isReady(3000)).toBe(true);
  for (let round = 0; round < 1000; round += 1) {
    const { memory, at } = memories[round % 2]!;
    const outs = 8 + ((round * 56) % (OUTS - 8));
    const args = [F32, at.x, at.w, 0, 0, at.y, 1, COLS, OUTS, 1 + round, at.scratch];
    const call = (first: number, end: number) =>
      (memory.kernels.linear as (...list: number[]) => void)(...args, first, end);
    call(0, outs);
    const want = memory.floats(at.y, outs).slice();
    memory.floats(at.y, OUTS).fill(NaN);
    const job = { ...memory.names('linear'), args, scratchArgument: 10, scratchBytes: 2 ** 18 };
    expect(threads?.run({ ...job, first: 0, end: outs, unit: 8 }, call)).toBe(true);
    expect(memory.floats(at.y, outs)).toEqual(want);
    expect(memory.floats(at.y + 4 * outs, OUTS - outs).every(Number.isNaN)).toBe(true);
  }
  expect(threads!.helped).toBeGreaterThan(0);
});

test('threads without work go back to their event loops, and the next job calls them', async () => {
  const { threads } = module;
  const memory = new SimdMemory(module);
  const job = { ...memory.names('gather_rows'), args: [0, 0, 0, 0, 0], scratchArgument: -1, scratchBytes: 0 };
  const share = (rounds: number) => {
    let whole = 0;
    for (let round = 0; round < rounds; round += 1)
      whole += threads?.run({ ...job, first: 0, end: 64, unit: 1 }, () => {}) ? 0 : 1;
    return whole;
  };
  expect(await threads?.isReady(3000)).toBe(true);
  expect(share(1)).toBe(0);
  // They rest, in the end: then a job is left to the caller, and they are called.
  await expect.poll(() => share(1), { timeout: 60_000, interval: 400 }).toBe(1);
  expect(await threads?.isReady(3000)).toBe(true);
  const before = threads!.helped;
  await expect.poll(() => [share(1000), threads!.helped > before][1], { timeout: 60_000 }).toBe(true);
  memory.dispose();
});

test('threads that have just heard of another memory leave a job whole, or take part in it', async () => {
  const memory = new SimdMemory(module);
  const job = { ...memory.names('gather_rows'), args: [0, 0, 0, 0, 0], scratchArgument: -1, scratchBytes: 0 };
  let done = 0;
  const isShared = module.threads?.run({ ...job, first: 0, end: 64, unit: 64 }, () => (done += 1));
  expect(done <= 1 && (isShared || done === 0)).toBe(true);
  expect(await module.threads?.isReady(3000)).toBe(true);
  memory.dispose();
  expect(await module.threads?.isReady(3000)).toBe(true);
});
