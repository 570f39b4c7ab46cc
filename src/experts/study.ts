import { segmentCache, segmentRouting, type SegmentRouting } from './locality.ts';
import { globalBound, layerBound } from './optimum.ts';
import { policyOf, type PolicyName } from './policies.ts';
import { missKinds, ratioPlaces, replay, traffic, type MissKinds, type Traffic } from './simulate.ts';
import type { RoutingTrace } from './trace.ts';

/** How caches of several sizes do on one trace. */
export interface Study {
  readonly sizes: readonly SizeStudy[];
  readonly segments: readonly SegmentStudy[];
}

/** Caches of one size. */
export interface SizeStudy {
  readonly ratio: number; // of the cache to what one token uses
  readonly places: number; // in all layers together
  readonly cacheBytes: number;
  readonly policies: Readonly<Partial<Record<PolicyName, Traffic & { readonly misses: MissKinds }>>>;
  readonly bounds: { readonly perLayer: number; readonly onePool: number }; // shares of uses
}

/** How alike neighbouring tokens are; nothing where the trace is too short. */
export interface SegmentStudy {
  readonly tokens: number;
  readonly routing: SegmentRouting | null;
  readonly cache: readonly { readonly ratio: number; readonly hitRate: number }[];
}

const SEGMENTS = [4, 16, 64]; // tokens

export function study(
  trace: RoutingTrace,
  names: readonly PolicyName[],
  ratios: readonly number[],
  { signal }: { signal?: AbortSignal } = {},
): Study {
  const sizes = ratios.map((ratio) => {
    signal?.throwIfAborted();
    return studySize(trace, names, ratio);
  });
  const segments = SEGMENTS.map((tokens) => {
    signal?.throwIfAborted();
    const cache = sizes.map(({ ratio, places }) => ({ ratio, hitRate: segmentCache(trace, tokens, places) }));
    return { tokens, routing: segmentRouting(trace, tokens) ?? null, cache };
  });
  return { sizes, segments };
}

function studySize(trace: RoutingTrace, names: readonly PolicyName[], ratio: number): SizeStudy {
  const places = ratioPlaces(trace, ratio);
  const total = places.reduce((sum, count) => sum + count, 0);
  const best = replay(trace, policyOf('belady', trace), places);
  const policies = names.map((name) => {
    const played = name === 'belady' ? best : replay(trace, policyOf(name, trace), places);
    return [name, { ...traffic(trace, played), misses: missKinds(trace, played, best) }] as const;
  });
  return {
    ratio,
    places: total,
    cacheBytes: places.reduce((sum, count, layer) => sum + count * (trace.unitBytes[layer] ?? 0), 0),
    policies: Object.fromEntries(policies),
    bounds: { perLayer: layerBound(trace, places), onePool: globalBound(trace, total) },
  };
}
