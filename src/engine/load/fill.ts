/** Fetches the experts that are still missing while no reply runs. */
import type { ExpertAddress } from '../../experts/base-records.ts';
import type { JobQueue } from '../run/queue.ts';
import type { RunnerExperts } from '../run/runner.ts';

/** After a pause this long no reply is waiting for a token. */
const QUIET_MS = 200;

/** Reads that failed are tried again after this long: the line may be back. */
const RETRY_MS = 5000;

/** Reads an expert so that it is kept on the disk. @returns undefined where nothing is kept, or nothing any more */
export type KeepExpert = (layer: number, unit: number, signal: AbortSignal) => Promise<unknown> | undefined;

/** What filling works on. */
export interface FillOptions {
  readonly memory: RunnerExperts;
  readonly queue: JobQueue;
  /** Reads so that it is kept on the disk: of all experts the base, where they have planes, and then the whole of all. */
  readonly keep: readonly KeepExpert[];
  readonly signal: AbortSignal;
}

/**
 * Brings every expert into its place, where there is one for each; else, where a disk keeps what is read, reads each
 * once. Hottest first, and of experts in nested planes the base of all before the rest of any, as far as memory holds bases.
 * Ends when nothing is left to do, or with the signal. Never fails: what could not be read now is read later, or on demand.
 */
export async function fillExperts({ memory, queue, keep, signal }: FillOptions): Promise<void> {
  const { layers, unitsPerLayer } = memory.streamer.store;
  const toKeep = experts(keep, layers, (layer) => memory.streamer.byHeat(layer));
  let next: (ExpertAddress & { readonly keep: KeepExpert }) | undefined; // what is kept next, until it is
  let absent: ExpertAddress[] | undefined; // whose bases are read ahead
  while (!signal.aborted) {
    await pause(Math.max(0, QUIET_MS - queue.idleMs), signal);
    if (queue.idleMs < QUIET_MS) continue;
    try {
      // The streamer of now: a resize brings another one.
      const { streamer } = memory;
      const hasPlaces = streamer.store.plan.places === unitsPerLayer;
      const { tiers } = memory;
      if (hasPlaces && tiers.bases?.hasRoom) {
        absent ??= tiers.bases.absentByHeat(streamer);
        const first = absent.shift();
        if (first) {
          const { layer, unit } = first;
          if (!streamer.isPresent(layer, unit)) await tiers.bases.read(layer, unit, signal);
          continue;
        }
      }
      const missing = hasPlaces ? streamer.nextAbsent() : undefined;
      if (missing) {
        tiers.done(await tiers.read(missing.layer, missing.unit, signal));
        const admit = () => memory.streamer.admit(missing.layer, missing.unit, signal);
        await queue.run(admit, { isBackground: true });
      } else {
        if (streamer.isComplete) return;
        next ??= toKeep.next().value;
        if (!next) return;
        const kept = next.keep(next.layer, next.unit, signal);
        if (!kept) return; // what cannot be kept is not fetched for nothing
        await kept;
        next = undefined;
      }
    } catch {
      await pause(RETRY_MS, signal);
    }
  }
}

function* experts(
  keeps: readonly KeepExpert[],
  layers: number,
  byHeat: (layer: number) => readonly number[],
) {
  for (const keep of keeps) {
    for (let layer = 0; layer < layers; layer += 1) {
      for (const unit of byHeat(layer)) yield { keep, layer, unit };
    }
  }
  return undefined;
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
