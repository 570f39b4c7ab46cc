import { attention } from './attention.ts';
import { dense } from './dense.ts';

/** What sublayers without routed experts are, by kind. */
export const MIXERS = { attention, dense } as const;

export type MixerName = keyof typeof MIXERS;
