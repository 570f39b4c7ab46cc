import { expect, test } from 'vitest';
import { JobQueue } from './queue.ts';

test('jobs run one after another, in the order of asking', async () => {
  const queue = new JobQueue();
  const log: string[] = [];
  const job = (name: string) => async () => {
    log.push(`${name} begins`);
    await Promise.resolve();
    log.push(`${name} ends`);
  };
  await Promise.all([queue.run(job('a')), queue.run(job('b'), { isBackground: true }), queue.run(job('c'))]);
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

test('a job that fails does not stop the next', async () => {
  const queue = new JobQueue();
  await expect(queue.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await queue.run(async () => 'yes')).toBe('yes');
});

test('the queue is idle while only background work is done', async () => {
  const queue = new JobQueue();
  await queue.run(async () => {});
  await new Promise((resolve) => setTimeout(resolve, 20));
  const before = queue.idleMs;
  expect(before).toBeGreaterThan(10);
  let during = 0;
  await queue.run(async () => void (during = queue.idleMs), { isBackground: true });
  expect(during).toBeGreaterThanOrEqual(before);
  expect(queue.idleMs).toBeGreaterThanOrEqual(before);
  const work = queue.run(async () => (during = queue.idleMs));
  expect(queue.idleMs).toBe(0);
  await work;
  expect(during).toBe(0);
});
