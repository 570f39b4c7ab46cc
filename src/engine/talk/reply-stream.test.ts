import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { ReplyStream } from './reply-stream.ts';

/** Counts up until it is stopped; says what it holds. */
function counting() {
  let isStopped = false;
  let isHeld = false;
  async function* count(): AsyncGenerator<number, void, undefined> {
    isHeld = true;
    try {
      for (let i = 0; !isStopped; i++) yield i;
      yield -1;
    } finally {
      await Promise.resolve();
      isHeld = false;
    }
  }
  const onUnused = vi.fn();
  const stream = new ReplyStream(count, onUnused);
  const stop = () => {
    isStopped = true;
    stream.finish();
  };
  return { stream, stop, onUnused, isHeld: () => isHeld };
}

test('a stream that nobody reads on ends when it is told to, and keeps what was still to come', async () => {
  const { stream, stop, isHeld } = counting();
  await stream.next();
  await stream.next();
  stop();
  await vi.waitFor(() => expect(isHeld()).toBe(false));
  expect(await stream.next()).toEqual({ done: false, value: -1 });
  expect(await stream.next()).toEqual({ done: true, value: undefined });
});

test('a read that is under way gets its value first', async () => {
  const { stream, stop, isHeld } = counting();
  const [first, second] = [stream.next(), stream.next()];
  stop();
  expect((await first).value).toBe(-1); // the generator had not begun
  expect((await second).done).toBe(true);
  expect(isHeld()).toBe(false);
});

test('a loop that is left ends it; one that goes on after the end sees the end', async () => {
  const { stream, stop, isHeld } = counting();
  for await (const value of stream) if (value === 2) break;
  expect(isHeld()).toBe(false);
  stop();
  expect((await stream.next()).done).toBe(true);
});

test('a stream that was never read holds nothing, ended or returned', async () => {
  const { stream, stop, onUnused, isHeld } = counting();
  stop();
  expect(isHeld()).toBe(false);
  expect(await stream.return()).toEqual({ done: true, value: undefined });
  expect(onUnused).toHaveBeenCalledOnce();
  expect((await stream.next()).done).toBe(true);
});

test('an error after the end was asked for waits for the reader and is nowhere unhandled', async () => {
  let isStopped = false;
  async function* failing(): AsyncGenerator<number, void, undefined> {
    while (!isStopped) yield 0;
    throw new Error('gone');
  }
  const stream = new ReplyStream(failing);
  await stream.next();
  isStopped = true;
  stream.finish();
  await new Promise((resolve) => setTimeout(resolve, 5));
  await expect(stream.next()).rejects.toThrow('gone');
  expect((await stream.next()).done).toBe(true);
});

test('a stream that is dropped in the middle is closed', async () => {
  const isClosed = vi.fn();
  const finishes: (() => void)[] = []; // as a session keeps it
  const drop = async (): Promise<void> => {
    const stream = new ReplyStream((finish) => {
      finishes.push(finish);
      return (async function* () {
        try {
          for (;;) yield 0;
        } finally {
          isClosed(finishes.length);
        }
      })();
    });
    await stream.next();
  };
  await drop();
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  await vi.waitFor(
    () => {
      collectGarbage();
      expect(isClosed).toHaveBeenCalledOnce();
    },
    { timeout: 60_000 },
  );
});
