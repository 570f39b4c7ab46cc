/** The weights of the experts that are left. */
import { affinityOf, vectorAt, type RouteEntry, type RouteToken } from './route-token.reference.ts';

/** The weights of `kept`; `chosen` are the entries before null experts and filters, `most` the places of a token. */
export function weightsOf(
  state: RouteToken,
  chosen: readonly RouteEntry[],
  kept: readonly RouteEntry[],
  most: number,
): number[] {
  const { times, expertScale, scale = 1, add = 0, over = 'kept' } = state.rule.weigh;
  const raw = (entry: RouteEntry) => rawWeight(state, entry, most);
  const share = shareOf(state, (over === 'chosen' ? chosen : kept).map(raw));
  const factor = times ? Math.max(...state.affinities.map((_, e) => affinityOf(state, e))) : 1;
  return kept.map((entry) => {
    const own = expertScale ? vectorAt(state, expertScale.vector, entry.expert, state.affinities.length) : 1;
    return share(raw(entry)) * factor * own * scale + add;
  });
}

function rawWeight(
  { token, experts, inputs, rule, ...state }: RouteToken,
  entry: RouteEntry,
  most: number,
): number {
  const { expert, place } = entry;
  switch (rule.weigh.from ?? 'affinity') {
    case 'affinity':
      return affinityOf(state, expert);
    case 'logits':
      return state.logits[expert]!;
    case 'exp':
      return Math.exp(Math.min(affinityOf(state, expert), 80));
    case 'one':
      return 1;
    case 'expert':
      return expert < experts ? inputs.raw_weights![token * experts + expert]! : 0;
    case 'place':
      return inputs.raw_weights![token * most + place]!;
  }
}

/** How a raw weight is normalised over a set of them. */
function shareOf({ rule }: RouteToken, weights: readonly number[]): (raw: number) => number {
  const { normalise = 'none', epsilon = 0 } = rule.weigh;
  if (normalise === 'none') return (raw) => raw;
  if (normalise === 'sum') {
    const sum = weights.reduce((total, raw) => total + raw, 0);
    return (raw) => (sum === 0 ? 0 : raw / (sum + epsilon));
  }
  const largest = Math.max(...weights);
  const sum = weights.reduce((total, raw) => total + Math.exp(raw - largest), 0);
  return (raw) => Math.exp(raw - largest) / sum;
}
