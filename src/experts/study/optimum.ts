import { startOf, unitsOf, type RoutingTrace } from './trace.ts';

/**
 * How many hits no cache can pass, whatever it does: Belady's optimum where a unit may be used without being kept, and
 * the units of the current token need no places. Uses come one at a time, and the cache may begin with any units that
 * the prompt or the warm-up used. Policies are bound to more, so they stay below.
 */
export function optimalHits({ uses, before, keys }: UseSequence, places: number): number {
  const next = nextUses(uses, keys);
  const isKept = new Uint8Array(uses.length); // by the use that a kept unit waits for
  const waiting = new MaxHeap(uses.length);
  let held = 0;
  const keep = (use: number) => {
    if (use >= uses.length) return; // never used again
    isKept[use] = 1;
    waiting.push(use);
    held += 1;
    if (held <= places) return;
    isKept[waiting.pop()] = 0;
    held -= 1;
  };
  for (const key of before) keep(next.first[key] ?? Infinity);
  let hits = 0;
  for (let use = 0; use < uses.length; use += 1) {
    if (isKept[use] === 1) {
      hits += 1;
      held -= 1;
    }
    keep(next.after[use] ?? Infinity);
  }
  return hits;
}

/** Uses that share one set of places. */
export interface UseSequence {
  readonly uses: Uint32Array; // keys of units, those that count
  readonly before: Iterable<number>; // keys that were used before, each once
  readonly keys: number; // keys are below
}

/** The uses of one layer; a key is a unit. */
export function layerUses(trace: RoutingTrace, layer: number): UseSequence {
  const counted: number[] = [];
  const before = new Set<number>();
  trace.prime?.uses[layer]?.forEach((count, unit) => count > 0 && before.add(unit));
  for (let step = 0; step < trace.steps; step += 1) {
    for (const unit of unitsOf(trace, step, layer)) {
      if (step < trace.warmUp) before.add(unit);
      else counted.push(unit);
    }
  }
  return { uses: Uint32Array.from(counted), before, keys: trace.units };
}

/** The uses of all layers in the order of a forward pass; a key is layer * units + unit. */
export function allUses(trace: RoutingTrace): UseSequence {
  const { layers, units } = trace;
  const key = (layer: number, unit: number) => layer * units + unit;
  const before = new Set<number>();
  trace.prime?.uses.forEach((uses, layer) =>
    uses.forEach((count, unit) => count > 0 && before.add(key(layer, unit))),
  );
  const keyed = new Uint32Array(trace.ids.length);
  for (let index = 0; index < trace.steps * layers; index += 1) {
    const from = trace.starts[index] ?? 0;
    const to = trace.starts[index + 1] ?? 0;
    for (let use = from; use < to; use += 1) keyed[use] = key(index % layers, trace.ids[use] ?? 0);
  }
  const warmUp = startOf(trace, trace.warmUp);
  for (const used of keyed.subarray(0, warmUp)) before.add(used);
  return { uses: keyed.subarray(warmUp), before, keys: layers * units };
}

/** The share of uses that a cache with places of their own for each layer can hit at best. */
export function layerBound(trace: RoutingTrace, places: readonly number[]): number {
  let hits = 0;
  for (let layer = 0; layer < trace.layers; layer += 1)
    hits += optimalHits(layerUses(trace, layer), places[layer] ?? 0);
  return hits / countedUses(trace);
}

/** The share of uses that a cache can hit at best when any layer may take any place. */
export function globalBound(trace: RoutingTrace, places: number): number {
  return optimalHits(allUses(trace), places) / countedUses(trace);
}

function countedUses(trace: RoutingTrace): number {
  return trace.ids.length - startOf(trace, trace.warmUp);
}

/** By key its first use, by use the next one of the same key; Infinity is never. */
function nextUses(uses: Uint32Array, keys: number) {
  const first = new Float64Array(keys).fill(Infinity);
  const after = new Float64Array(uses.length);
  for (let use = uses.length - 1; use >= 0; use -= 1) {
    const key = uses[use] ?? 0;
    after[use] = first[key] ?? Infinity;
    first[key] = use;
  }
  return { first, after };
}

/** The largest of some numbers, in a heap: no parent is smaller than its children. */
class MaxHeap {
  readonly #values: Float64Array;
  #size = 0;

  constructor(capacity: number) {
    this.#values = new Float64Array(capacity);
  }

  push(value: number): void {
    let at = this.#size;
    this.#size += 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#values[parent] ?? 0;
      if (above >= value) break;
      this.#values[at] = above;
      at = parent;
    }
    this.#values[at] = value;
  }

  /** Takes the largest out; there is one. */
  pop(): number {
    const largest = this.#values[0] ?? 0;
    this.#size -= 1;
    const last = this.#values[this.#size] ?? 0;
    let at = 0;
    for (let child = 1; child < this.#size; child = 2 * at + 1) {
      if (child + 1 < this.#size && (this.#values[child + 1] ?? 0) > (this.#values[child] ?? 0)) child += 1;
      const below = this.#values[child] ?? 0;
      if (below <= last) break;
      this.#values[at] = below;
      at = child;
    }
    this.#values[at] = last;
    return largest;
  }
}
