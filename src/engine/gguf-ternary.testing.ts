/** Ternary mixes of a GGUF file. Not part of the library. */
import type { Mix } from './gguf-grids.testing.ts';

/** The formats of gate and up, of down, and of attention and embeddings. */
export const TERNARY_MIXES = [
  ['TQ2_0', 'TQ1_0', 'Q4_K'],
  ['TQ1_0', 'TQ2_0', 'TQ2_0'],
] as const satisfies readonly Mix[];
