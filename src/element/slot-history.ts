/** Where the units of a model (experts, or pages of atomic ones) are, and which have just gone. */
import { SLOT_STATES, type StreamingReport } from '../engine/api.ts';

/** How long an evicted unit can still be seen. */
export const FADE_MS = 1200;

/** The units of one layer by where they are. */
export interface SlotCounts {
  readonly resident: number;
  readonly loading: number;
  readonly predicted: number;
  readonly absent: number;
}

/** Compares reports of streaming, to show which slots changed lately. */
export class SlotHistory {
  #report: StreamingReport | undefined;
  #leftAtMs = new Float64Array(); // per unit; -Infinity: not lately

  get report(): StreamingReport | undefined {
    return this.#report;
  }

  /** Takes the next report; returns whether anything is elsewhere now. */
  take(report: StreamingReport, nowMs: number): boolean {
    const before = this.#report;
    this.#report = report;
    const isSame = before?.layers === report.layers && before.unitsPerLayer === report.unitsPerLayer;
    if (!isSame) {
      this.#leftAtMs = new Float64Array(report.states.length).fill(-Infinity);
      return true;
    }
    let hasChanged = false;
    report.states.forEach((state, index) => {
      const was = before.states[index];
      if (state === was) return;
      hasChanged = true;
      const hasLeft = was === SLOT_STATES.resident && state === SLOT_STATES.absent;
      this.#leftAtMs[index] = hasLeft ? nowMs : -Infinity;
    });
    return hasChanged;
  }

  /** 1: the unit was evicted this moment; 0: it is here, or it went long ago. */
  fading(index: number, nowMs: number): number {
    const sinceMs = nowMs - (this.#leftAtMs[index] ?? -Infinity);
    return Math.max(0, 1 - sinceMs / FADE_MS);
  }

  counts(layer: number): SlotCounts {
    const counts = [0, 0, 0, 0];
    const { unitsPerLayer = 0, states } = this.#report ?? {};
    for (const state of states?.subarray(layer * unitsPerLayer, (layer + 1) * unitsPerLayer) ?? []) {
      counts[state] = (counts[state] ?? 0) + 1;
    }
    const [absent = 0, resident = 0, loading = 0, predicted = 0] = counts;
    return { resident, loading, predicted, absent };
  }

  /** All layers together. */
  total(): SlotCounts {
    const total = { resident: 0, loading: 0, predicted: 0, absent: 0 };
    for (let layer = 0; layer < (this.#report?.layers ?? 0); layer++) {
      const counts = this.counts(layer);
      for (const kind of ['resident', 'loading', 'predicted', 'absent'] as const) total[kind] += counts[kind];
    }
    return total;
  }
}

/** Whether experts still come without being asked for: into free places, or onto the disk. */
export function isFilling(report: StreamingReport): boolean {
  if (report.isComplete) return false;
  const { resident } = SLOT_STATES;
  const here = report.states.reduce((count, state) => count + (state === resident ? 1 : 0), 0);
  const places = report.units.reduce((sum, units) => sum + Math.min(units, report.slotsPerLayer), 0);
  if (here < places) return true;
  const { disk } = report;
  return disk !== undefined && disk.why === '' && disk.storedBytes < disk.totalBytes;
}
