import { attention } from './attention.ts';
import { dense } from './dense.ts';

/** The built-in mixers by kind. Both are part of the core, since all built-in families use them. */
export const MIXERS = { attention: () => attention, dense: () => dense } as const;

/** The name of a built-in mixer. */
export type MixerName = keyof typeof MIXERS;
