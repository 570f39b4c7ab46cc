/** Which of the chosen experts are left. */
import type { RouteDrop } from './route-rule.ts';
import { affinityOf, vectorAt, type RouteEntry, type RouteToken } from './route-token.reference.ts';

/** The entries that are left after null experts and the filters, in order. */
export function droppedOf(state: RouteToken, chosen: readonly RouteEntry[]): readonly RouteEntry[] {
  const own = chosen.filter(({ expert }) => expert < state.experts);
  return (state.rule.select.drop ?? []).reduce((left, drop) => filtered(state, drop, left), own);
}

function filtered(state: RouteToken, drop: RouteDrop, entries: RouteEntry[]): RouteEntry[] {
  const { token, inputs } = state;
  switch (drop.kind) {
    case 'belowThreshold': {
      const kind = drop.by ? inputs.kinds![token]! : 0;
      const threshold = vectorAt(state, drop.thresholds.vector, kind, state.affinities.length);
      return entries.filter(({ expert }) => drop.scale * affinityOf(state, expert) >= threshold);
    }
    case 'belowRatio': {
      const protection = drop.by ? inputs.protection![token]! : 0;
      if (protection > 0) return protection === 1 ? entries : [];
      const least = drop.ratio * (entries[0] ? affinityOf(state, entries[0].expert) : 0);
      return entries.filter(({ expert }, rank) => rank === 0 || affinityOf(state, expert) >= least);
    }
    case 'verdict': {
      const { choice } = state.rule.select;
      const places = choice.kind === 'given' ? choice.places : 0;
      return entries.filter(
        ({ place }) => place < drop.atLeast || inputs.verdicts![token * places + place]! > 0,
      );
    }
  }
}
