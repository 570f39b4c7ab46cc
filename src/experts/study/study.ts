import { yieldToEventLoop } from '../../graph/event-loop.ts';
import { concentration, type Concentration } from './concentration.ts';
import { fixedRouting, segmentCache, segmentRouting, type SegmentRouting } from './locality.ts';
import { globalBound, layerBound } from './optimum.ts';
import { studyPolicy, type StudyPolicyName } from './policies.ts';
import { missKinds, ratioPlaces, replay, traffic, type MissKinds, type Traffic } from './simulate.ts';
import type { RoutingTrace } from './trace.ts';

/** How caches of several sizes do on one trace. */
export interface Study {
  readonly sizes: readonly SizeStudy[];
  readonly segments: readonly SegmentStudy[];
  readonly concentration: Concentration;
}

/** Caches of one size. */
export interface SizeStudy {
  readonly ratio: number; // of the cache to what one token uses
  readonly places: number; // in all layers together
  readonly cacheBytes: number;
  readonly policies: Readonly<Partial<Record<StudyPolicyName, Traffic & { readonly misses: MissKinds }>>>;
  readonly bounds: { readonly perLayer: number; readonly onePool: number }; // shares of uses
}

/** How alike neighbouring tokens are; nothing where the trace is too short. */
export interface SegmentStudy {
  readonly tokens: number;
  readonly routing: SegmentRouting | null;
  readonly fixed: readonly { readonly ratio: number; readonly f1: number | null }[]; // with a choice of this size for each segment
  readonly cache: readonly { readonly ratio: number; readonly hitRate: number }[];
}

const SEGMENTS = [4, 16, 64]; // tokens

/**
 * Replays a trace through caches of several sizes and policies. Between two replays the event loop runs, so that
 * Ctrl-C is heard.
 *
 * @param ratios - cache sizes over what one token uses
 * @throws the signal's reason
 */
export async function study(
  trace: RoutingTrace,
  names: readonly StudyPolicyName[],
  ratios: readonly number[],
  { signal }: { signal?: AbortSignal } = {},
): Promise<Study> {
  const sizes: SizeStudy[] = [];
  for (const ratio of ratios) sizes.push(await studySize(trace, names, ratio, signal));
  const segments: SegmentStudy[] = [];
  for (const tokens of SEGMENTS) {
    await pause(signal);
    const cache = sizes.map(({ ratio, places }) => ({ ratio, hitRate: segmentCache(trace, tokens, places) }));
    const fixed = ratios.map((ratio) => {
      const chosen = Math.min(trace.units, Math.max(1, Math.round(ratio * trace.topK)));
      return { ratio, f1: fixedRouting(trace, tokens, chosen) ?? null };
    });
    segments.push({ tokens, routing: segmentRouting(trace, tokens) ?? null, fixed, cache });
  }
  return { sizes, segments, concentration: concentration(trace) };
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  await yieldToEventLoop();
  signal?.throwIfAborted();
}

async function studySize(
  trace: RoutingTrace,
  names: readonly StudyPolicyName[],
  ratio: number,
  signal: AbortSignal | undefined,
): Promise<SizeStudy> {
  const places = ratioPlaces(trace, ratio);
  const total = places.reduce((sum, count) => sum + count, 0);
  await pause(signal);
  const best = replay(trace, studyPolicy('belady', trace), places);
  const policies: [StudyPolicyName, SizeStudy['policies'][StudyPolicyName]][] = [];
  for (const name of names) {
    await pause(signal);
    const played = name === 'belady' ? best : replay(trace, studyPolicy(name, trace), places);
    policies.push([name, { ...traffic(trace, played), misses: missKinds(trace, played, best) }]);
  }
  return {
    ratio,
    places: total,
    cacheBytes: places.reduce((sum, count, layer) => sum + count * (trace.unitBytes[layer] ?? 0), 0),
    policies: Object.fromEntries(policies),
    bounds: { perLayer: layerBound(trace, places), onePool: globalBound(trace, total) },
  };
}
