/** Fetches the experts that are still missing while no reply runs. */
import type { JobQueue } from '../run/queue.ts';
import type { RunnerExperts } from '../run/runner.ts';

/** After a pause this long no reply is waiting for a token. */
const QUIET_MS = 200;

/** Reads that failed are tried again after this long: the line may be back. */
const RETRY_MS = 5000;

/** What filling works on. */
export interface FillOptions {
  readonly memory: RunnerExperts;
  readonly queue: JobQueue;
  /** Reads an expert so that it is kept on the disk. @returns undefined where nothing is kept, or nothing any more */
  readonly keep: (layer: number, unit: number, signal: AbortSignal) => Promise<unknown> | undefined;
  readonly signal: AbortSignal;
}

/**
 * Brings every expert into its place, where there is one for each; else, where a disk keeps what is read, reads each
 * once. Ends when nothing is left to do, or with the signal. Never fails: what could not be read now is read later, or
 * on demand.
 */
export async function fillExperts({ memory, queue, keep, signal }: FillOptions): Promise<void> {
  const { layers, unitsPerLayer } = memory.streamer.store;
  const next = { layer: 0, unit: 0 }; // what is kept next
  for (; !signal.aborted && next.layer < layers;) {
    await pause(Math.max(0, QUIET_MS - queue.idleMs), signal);
    if (queue.idleMs < QUIET_MS) continue;
    try {
      // The streamer of now: a resize brings another one.
      const { streamer } = memory;
      const hasPlaces = streamer.store.plan.places === unitsPerLayer;
      const missing = hasPlaces ? streamer.nextAbsent() : undefined;
      if (missing) {
        const { tiers } = memory;
        tiers.done(await tiers.read(missing.layer, missing.unit, signal));
        const admit = () => memory.streamer.admit(missing.layer, missing.unit, signal);
        await queue.run(admit, { isBackground: true });
      } else {
        if (streamer.isComplete) return;
        const kept = keep(next.layer, next.unit, signal);
        if (!kept) return; // what cannot be kept is not fetched for nothing
        await kept;
        next.unit += 1;
        if (next.unit === streamer.store.units(next.layer))
          Object.assign(next, { layer: next.layer + 1, unit: 0 });
      }
    } catch {
      await pause(RETRY_MS, signal);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
