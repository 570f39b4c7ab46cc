import type { ExpertChoiceRule } from './expert-choice.ts';
import { boundsOf, ROUNDING } from './sequence.ts';

const MASK_LIMIT = -1e37;

/**
 * Each expert takes the tokens of a sequence with the largest values, on ties the earlier.
 *
 * values [tokens, experts]; below -1e37: never taken. raw [tokens, experts], with `across`
 * -> given [tokens, experts]: the expert where it takes the token, else `experts`; shares [tokens, experts]: raw weights
 * normalised over the tokens of each expert, else 0
 */
export function expertChoiceReference(
  values: Float32Array,
  raw: Float32Array | undefined,
  offsets: ArrayLike<number> | undefined,
  rule: ExpertChoiceRule,
  { tokens, experts }: { readonly tokens: number; readonly experts: number },
): { given: Uint32Array<ArrayBuffer>; shares: Float32Array<ArrayBuffer> } {
  const given = new Uint32Array(tokens * experts).fill(experts);
  const shares = new Float32Array(tokens * experts);
  for (const [first, end] of boundsOf(offsets, tokens)) {
    for (let e = 0; e < experts; e += 1) {
      const taken = tokensOf(values, e, [first, end], rule, experts);
      for (const t of taken) given[t * experts + e] = e;
      if (!raw || !rule.across) continue;
      const normalised = across(
        taken.map((t) => raw[t * experts + e]!),
        rule.across,
      );
      taken.forEach((t, index) => (shares[t * experts + e] = normalised[index]!));
    }
  }
  return { given, shares };
}

/** The tokens that an expert takes of a sequence, best first. */
function tokensOf(
  values: Float32Array,
  e: number,
  [first, end]: readonly [number, number],
  rule: ExpertChoiceRule,
  experts: number,
): number[] {
  const { forceFirst = false, among = experts } = rule;
  const row = (t: number) => [...values.subarray(t * experts, (t + 1) * experts)];
  const isAmong = (t: number) => {
    const own = row(t);
    return own.filter((other, at) => other > own[e]! || (other === own[e] && at < e)).length < among;
  };
  const key = (t: number) => (forceFirst && t === first ? Infinity : row(t)[e]!);
  const all = Array.from({ length: end - first }, (_, index) => first + index);
  const competing = all.filter((t) => key(t) === Infinity || (key(t) > MASK_LIMIT && isAmong(t)));
  return competing
    .toSorted((a, b) => (key(a) === key(b) ? a - b : key(b) - key(a)))
    .slice(0, roomOf(rule, end - first, experts));
}

function roomOf({ room, least }: ExpertChoiceRule, tokens: number, experts: number): number {
  const exact = 'tokens' in room ? room.tokens : (tokens * room.factor) / experts;
  const isUp = 'tokens' in room || room.round === 'ceil';
  const whole = isUp ? Math.ceil(exact * (1 - ROUNDING)) : Math.floor(exact * (1 + ROUNDING));
  return Math.min(tokens, Math.max(least, whole));
}

function across(
  raw: readonly number[],
  { normalise, epsilon = 0 }: NonNullable<ExpertChoiceRule['across']>,
): number[] {
  if (normalise === 'sum') {
    const sum = raw.reduce((total, value) => total + value, 0);
    return raw.map((value) => (sum === 0 ? 0 : value / (sum + epsilon)));
  }
  const powers = raw.map((value) => Math.exp(value - Math.max(...raw)));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}
