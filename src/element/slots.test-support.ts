/** A test helper: reports of streaming. */
import type { StreamingReport } from '../engine/api.ts';

/** One character per unit: `.` absent, `#` resident, `~` loading, `?` predicted; one string per layer. */
export function slotReport(
  layers: readonly string[],
  more: Partial<Omit<StreamingReport, 'states'>> = {},
): StreamingReport {
  const states = Uint8Array.from(layers.join(''), (unit) => '.#~?'.indexOf(unit));
  return {
    layers: layers.length,
    unitsPerLayer: layers[0]?.length ?? 0,
    slotsPerLayer: 2,
    cacheRatio: 1,
    unitBytes: 1000,
    units: layers.map((units) => units.length),
    states,
    isComplete: states.every((state) => state === 1),
    tokens: 0,
    hits: 0,
    misses: 0,
    prefetched: 0,
    evictions: 0,
    speculated: 0,
    adopted: 0,
    wasted: 0,
    uploadedBytes: 0,
    readBytes: 0,
    heldBytes: 0,
    stallMs: 0,
    syncMs: 0,
    aborts: 0,
    recall: layers.map((_, layer) => (layer === 0 ? Number.NaN : 0.8)),
    disk: undefined,
    ...more,
  };
}
