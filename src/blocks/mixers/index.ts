import { attention } from './attention.ts';
import { dense } from './dense.ts';

/** What sublayers without routed experts are, by kind. These two are part of the core: the families that come with it use them. */
export const MIXERS = { attention: () => attention, dense: () => dense } as const;

/** The name of a built-in mixer. */
export type MixerName = keyof typeof MIXERS;
