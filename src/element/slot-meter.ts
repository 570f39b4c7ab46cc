/** What streaming costs the reply at hand, from the counters of two reports. */
import type { StreamingReport } from '../engine/api.ts';

/** Figures of streaming between two reports. */
export interface SlotNumbers {
  readonly hitRate: number; // 0..1; NaN where nothing was looked up
  readonly bytesPerToken: number;
  readonly stallMsPerToken: number;
  readonly guessesUsed: number;
  readonly guessesWasted: number;
}

/**
 * Counts from the reply's first token on, so that what its prompt brought is left out; anew after a resize, which sets
 * the engine's counters back.
 */
export class SlotMeter {
  #base: StreamingReport | undefined;
  #last: StreamingReport | undefined;
  #tokensBefore = 0;

  /** A reply begins. */
  begin(): void {
    this.#base = undefined;
    this.#tokensBefore = this.#last?.tokens ?? 0;
  }

  /** @returns undefined until two tokens of this reply can be compared */
  take(report: StreamingReport): SlotNumbers | undefined {
    const last = this.#last;
    this.#last = report;
    if (last && (report.tokens < last.tokens || report.uploadedBytes < last.uploadedBytes)) {
      this.#base = undefined;
      this.#tokensBefore = 0;
    }
    if (!this.#base && report.tokens > this.#tokensBefore) this.#base = report;
    const base = this.#base;
    const tokens = report.tokens - (base?.tokens ?? report.tokens);
    if (!base || tokens <= 0) return undefined;
    const hits = report.hits - base.hits;
    return {
      hitRate: hits / (hits + report.misses - base.misses),
      bytesPerToken: (report.uploadedBytes - base.uploadedBytes) / tokens,
      stallMsPerToken: (report.stallMs - base.stallMs) / tokens,
      guessesUsed: report.adopted - base.adopted,
      guessesWasted: report.wasted - base.wasted,
    };
  }
}
