/** Reads that overlap: how many, in which order their results come, and what an error or an abort leaves. */
import { expect, test } from 'vitest';
import { readAhead, readTogether, type ReadJob } from './read-ahead.ts';

interface NamedJob extends ReadJob {
  readonly name: string;
}

const jobs = (...sizes: number[]): NamedJob[] => sizes.map((sizeBytes, i) => ({ name: `${i}`, sizeBytes }));

/** Reads that end when they are told to, or when they are aborted. */
function desk() {
  const open = new Map<string, { end(): void; fail(error: Error): void }>();
  const begun: string[] = [];
  const read = ({ name }: NamedJob, signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      const settle = (act: () => void) => () => {
        open.delete(name);
        act();
      };
      begun.push(name);
      open.set(name, {
        end: settle(() => resolve(`bytes of ${name}`)),
        fail: (error) => settle(() => reject(error))(),
      });
      signal.addEventListener(
        'abort',
        settle(() => reject(signal.reason as Error)),
        { once: true },
      );
    });
  return { open, begun, read };
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

test('reads begin before others have ended; results come in the order of the jobs', async () => {
  const { open, begun, read } = desk();
  const got: string[] = [];
  const all = (async () => {
    const limits = { mostReads: 3, mostBytes: 100 };
    for await (const [{ name }, bytes] of readAhead(jobs(1, 1, 1, 1, 1), read, undefined, limits)) {
      expect(bytes).toBe(`bytes of ${name}`);
      got.push(name);
    }
  })();
  await turn();
  expect(begun).toEqual(['0', '1', '2']);
  open.get('2')?.end();
  open.get('1')?.end();
  await turn();
  expect([got, begun.length]).toEqual([[], 3]); // what waits for its turn counts as under way
  open.get('0')?.end();
  await turn();
  expect([got, begun.length]).toEqual([['0', '1', '2'], 5]);
  open.get('3')?.end();
  open.get('4')?.end();
  await all;
  expect(got).toEqual(['0', '1', '2', '3', '4']);
});

test('the bytes under way are bounded, and a job that is larger is read alone', async () => {
  const { open, read } = desk();
  const limits = { mostReads: 10, mostBytes: 10 };
  const seen: string[][] = [];
  const results = readAhead(jobs(6, 4, 1, 25, 2, 3), read, undefined, limits);
  for (;;) {
    const next = results.next();
    await turn();
    seen.push([...open.keys()]);
    for (const job of [...open.values()]) job.end();
    if ((await next).done) break;
  }
  expect(seen.filter((names) => names.length > 0)).toEqual([['0', '1'], ['2'], ['3'], ['4', '5']]);
});

test.each([
  ['the first', '0'],
  ['a later one', '2'],
])('an error of %s ends all others', async (_, name) => {
  const { open, begun, read } = desk();
  const results = readAhead(jobs(1, 1, 1, 1), read, undefined, { mostReads: 3, mostBytes: 100 });
  const next = results.next();
  await turn();
  const error = new Error('gone');
  open.get(name)?.fail(error);
  await expect(next).rejects.toBe(error);
  expect([open.size, begun]).toEqual([0, ['0', '1', '2']]);
  expect(await results.next()).toEqual({ done: true, value: undefined });
});

test('an abort ends all reads, and so does leaving the loop, or a job that cannot be made', async () => {
  const { open, read } = desk();
  const abort = new AbortController();
  const next = readAhead(jobs(1, 1), read, abort.signal).next();
  await turn();
  expect(open.size).toBe(2);
  abort.abort(new Error('enough'));
  await expect(next).rejects.toThrow('enough');
  expect(open.size).toBe(0);

  const left = (async () => {
    for await (const [{ name }] of readAhead(jobs(1, 1, 1), read)) {
      expect(name).toBe('0');
      break;
    }
  })();
  await turn();
  open.get('0')?.end();
  await left;
  expect(open.size).toBe(0);

  const broken = (function* () {
    yield* jobs(1);
    throw new Error('no such tensor');
  })();
  await expect(readAhead(broken, read).next()).rejects.toThrow('no such tensor');
  expect(open.size).toBe(0);
});

test('a few are read at once', async () => {
  const { open, read } = desk();
  const all = readTogether(jobs(1, 1, 1), read);
  await turn();
  expect(open.size).toBe(3);
  for (const name of ['2', '0', '1']) open.get(name)?.end();
  expect(await all).toEqual(['bytes of 0', 'bytes of 1', 'bytes of 2']);
});
