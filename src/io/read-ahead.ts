/** Reads that begin before the ones before them have ended: over a network each costs a round trip, whatever its size. */
import { unlessAborted } from './shared-reads.ts';

/** Something to read. */
export interface ReadJob {
  readonly sizeBytes: number; // that its result takes, about
}

/** What may be under way at once, results that wait for their turn included. */
export interface ReadAheadLimits {
  readonly mostReads: number;
  /** A job that is larger is read alone. */
  readonly mostBytes: number;
}

/** Keeps a fast link busy at a latency of 150 ms, and takes little memory beside a model. */
const LIMITS: ReadAheadLimits = { mostReads: 16, mostBytes: 32 * 1024 * 1024 };

/**
 * Reads jobs, several at a time, and gives their results in the order of the jobs. The first error, or an abort, ends
 * all reads; none is under way when it is thrown. So it is where the caller leaves the loop.
 *
 * @param read - one job; its signal is aborted by `signal`, and when another read fails
 * @throws what `read` or the jobs throw; the reason of `signal`
 */
export async function* readAhead<Job extends ReadJob, Result>(
  jobs: Iterable<Job>,
  read: (job: Job, signal: AbortSignal) => Promise<Result>,
  signal?: AbortSignal,
  { mostReads, mostBytes }: ReadAheadLimits = LIMITS,
): AsyncGenerator<readonly [Job, Result], void, undefined> {
  const ended = new AbortController();
  const either = signal ? AbortSignal.any([signal, ended.signal]) : ended.signal;
  const flights: { readonly job: Job; readonly result: Promise<Result> }[] = [];
  const waiting = jobs[Symbol.iterator]();
  let bytes = 0;
  let next = waiting.next();
  const hasRoom = (job: Job) =>
    flights.length === 0 || (flights.length < mostReads && bytes + job.sizeBytes <= mostBytes);
  try {
    for (;;) {
      while (!next.done && hasRoom(next.value)) {
        const job = next.value;
        // A signal each: Node warns of many listeners on one.
        const result = read(job, AbortSignal.any([either]));
        result.catch((error: unknown) => ended.abort(error));
        flights.push({ job, result });
        bytes += job.sizeBytes;
        next = waiting.next();
      }
      const [first] = flights;
      if (!first) return;
      yield [first.job, await unlessAborted(first.result, either)];
      flights.shift();
      bytes -= first.job.sizeBytes;
    }
  } finally {
    ended.abort();
    await Promise.allSettled(flights.map(({ result }) => result));
  }
}

/** Reads all of a few items at once; errors and aborts as with `readAhead`. */
export async function readTogether<Item, Result>(
  items: readonly Item[],
  read: (item: Item, signal: AbortSignal) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result[]> {
  const jobs = items.map((item) => ({ item, sizeBytes: 0 }));
  const limits = { mostReads: Infinity, mostBytes: Infinity };
  const results: Result[] = [];
  for await (const [, result] of readAhead(jobs, (job, either) => read(job.item, either), signal, limits)) {
    results.push(result);
  }
  return results;
}
