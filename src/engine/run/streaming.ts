/** What brings experts into their slots while a model runs: one set of parts for each change of the slots. */
import { invariant } from '../../errors.ts';
import { POLICIES } from '../../experts/policies.ts';
import type { SlotStore } from '../../experts/slot-store.ts';
import { ExpertStreamer } from '../../experts/streamer.ts';
import { RecordTiers, type TierOptions } from '../../experts/tiers.ts';
import { SLOT_STATES, type StreamingOptions } from '../api.ts';
import type { Drafted } from '../load/planning.ts';
import type { SlotPlan } from '../load/slots.ts';
import { STREAMING_DEFAULTS } from '../options.ts';
import type {
  ExpertDevice,
  ExpertSteps,
  StepsOptions,
  StreamedReport,
  StreamTesting,
} from './expert-memory.ts';

/** What streaming is opened with, beside the device and the model. */
export interface OpenStreaming<S extends SlotStore> {
  readonly slots: SlotPlan;
  readonly store: S;
  readonly scratch: S | undefined;
  readonly tiers: RecordTiers | undefined; // of the slots before; none: new ones
  readonly hostBytes: number; // of records that new tiers keep
  readonly read: TierOptions['read'];
  readonly topK: number; // units of one token at most
  readonly options: StreamingOptions;
  readonly testing: StreamTesting;
}

/** Experts that come and go: the tiers that they come from, the streamer, and the steps that wait for it. */
export class Streaming<S extends SlotStore, T extends ExpertSteps> {
  readonly tiers: RecordTiers;
  readonly streamer: ExpertStreamer<S>;
  readonly steps: T;

  private constructor(tiers: RecordTiers, streamer: ExpertStreamer<S>, steps: T) {
    this.tiers = tiers;
    this.streamer = streamer;
    this.steps = steps;
  }

  /** @throws {AtomoeError} out-of-memory; bad-input - the caller's policy throws, or returns none */
  static async open<S extends SlotStore, T extends ExpertSteps>(
    device: ExpertDevice<S, T>,
    drafted: Drafted,
    opened: OpenStreaming<S>,
  ): Promise<Streaming<S, T>> {
    const { experts } = drafted;
    invariant(experts, () => 'a model without experts');
    const { testing, hostBytes, read, store, scratch, topK, options } = opened;
    const { policy, seed } = { ...STREAMING_DEFAULTS, ...options };
    const { unitsPerLayer: units, recordBytes } = experts;
    const { link, observer, poison } = testing;
    const planes = testing.delay ? undefined : experts.planes; // delayed reads are those of whole records
    const tiers = opened.tiers ?? new RecordTiers({ units, recordBytes, link, hostBytes, read, planes });
    const streamer = new ExpertStreamer({
      ...{ store, scratch, tiers, topK, seed, observer },
      order: experts.order,
      policy: typeof policy === 'function' ? policy : POLICIES[policy],
      copy: (moves) => device.copy(moves),
      poison:
        poison === undefined
          ? undefined
          : new Uint8Array(new Uint32Array(recordBytes / 4).fill(poison).buffer),
    });
    const steps = await device.openSteps(streamer, stepsOptions(drafted, opened));
    return new Streaming(tiers, streamer, steps);
  }

  /** What was streamed so far. */
  report(): StreamedReport {
    const { streamer, steps, tiers } = this;
    const { uploads, promptLoads, ...counters } = streamer.counters;
    const { hits, misses, prefetched, evictions, speculated, adopted, wasted, stallMs } = counters;
    const { tokens, aborts, syncMs } = steps.counters;
    return {
      states: streamer.describe(SLOT_STATES),
      ...{
        tokens,
        hits,
        misses,
        prefetched,
        evictions,
        speculated,
        adopted,
        wasted,
        stallMs,
        syncMs,
        aborts,
      },
      uploadedBytes: (uploads + promptLoads + speculated) * tiers.recordBytes,
      readBytes: tiers.counters.readBytes,
      heldBytes: tiers.heldBytes,
      recall: streamer.recall(),
    };
  }

  /** The slots are going; the tiers stay, for those that come. */
  close(): void {
    this.streamer.close();
    this.steps.dispose();
  }
}

function stepsOptions<S extends SlotStore>(
  { experts, expertLayers, lossy }: Drafted,
  { slots, options, testing }: OpenStreaming<S>,
): StepsOptions {
  invariant(experts, () => 'a model without experts');
  const { lookahead, runAhead } = { ...STREAMING_DEFAULTS, ...options };
  return {
    // Where units have to leave and no slot is reserved, a guess would have nowhere to go.
    lookahead: slots.reserved === 0 && slots.places < experts.unitsPerLayer ? 0 : lookahead,
    runAhead,
    unitExperts: expertLayers.map((bank, layer) => bank.experts / experts.units(layer)),
    mistake: testing.mistake,
    dropColdBelow: lossy.dropColdBelow,
  };
}
