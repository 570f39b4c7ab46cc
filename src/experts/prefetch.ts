/** Loads the experts of a step whose routes are known, and tells policies what comes. Shared by GPU and CPU. */
import type { KnownRoutes } from './known-routes.ts';
import { LOOKAHEAD_TOKENS } from './policy.ts';
import type { ExpertStreamer } from './streamer.ts';

/** The units of the experts that tokens chose. */
export interface UnitsOf {
  readonly list: Uint32Array; // what `of` found last
  of(layer: number, experts: ArrayLike<number>, from: number, count: number): number;
}

/**
 * Asks for the units of a step of one token, layer by layer: the first layer's are read first.
 *
 * @returns whether the routes of all layers are known
 */
export function prefetchToken(
  streamer: ExpertStreamer,
  known: KnownRoutes,
  units: UnitsOf,
  signal: AbortSignal | undefined,
): boolean {
  const { layers } = streamer.store;
  let isWhole = true;
  for (let layer = 0; layer < layers; layer += 1) {
    if (streamer.looksAhead) streamer.expect(layer, usesOf(streamer, known, units, { layer, first: 0 }));
    const experts = known.experts(layer, 0);
    if (experts) streamer.prefetch(layer, units.list, units.of(layer, experts, 0, experts.length), signal);
    else isWhole = false;
  }
  return isWhole;
}

/** Tells the policies what the tokens after a prompt's step use. */
export function expectAfter(
  streamer: ExpertStreamer,
  known: KnownRoutes,
  units: UnitsOf,
  tokens: number,
): void {
  if (!streamer.looksAhead) return;
  for (let layer = 0; layer < streamer.store.layers; layer += 1)
    streamer.expect(layer, usesOf(streamer, known, units, { layer, first: tokens }));
}

/** How many of the next tokens use each unit of a layer, as far as it is known. */
function usesOf(
  { store }: ExpertStreamer,
  known: KnownRoutes,
  units: UnitsOf,
  { layer, first }: { readonly layer: number; readonly first: number },
): Uint32Array {
  const uses = new Uint32Array(store.units(layer));
  for (let ahead = first; ahead < first + LOOKAHEAD_TOKENS; ahead += 1) {
    const experts = known.experts(layer, ahead);
    if (!experts) continue;
    const count = units.of(layer, experts, 0, experts.length);
    for (const unit of units.list.subarray(0, count)) uses[unit] = (uses[unit] ?? 0) + 1;
  }
  return uses;
}
