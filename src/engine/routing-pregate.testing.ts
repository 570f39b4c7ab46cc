/** Routers that read the hidden states of earlier layers. Not part of the library. */
import { OWN } from './described-model.testing.ts';

/** By how many layers before their own. */
export const PRE_GATED = {
  1: { ...OWN, input: { parts: [{ from: 'hidden', earlier: 1 }] } },
  2: { ...OWN, input: { parts: [{ from: 'hidden', earlier: 2 }] } },
} as const;

/** Experts by a table of token ids. */
export const BY_TABLE = {
  score: { kind: 'zero' },
  select: { kind: 'ids', tensor: 'routing.idTable', by: 'tokenIds' },
  weigh: { from: 'one', normalise: 'sum' },
} as const;
