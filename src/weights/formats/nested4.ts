/** Nested bit planes of 4 bits: the base and 2 of its refinements. */
import { nestedFormat } from '../nested-planes.ts';

/** Nested groups of 128 weights: 2 bits and 2 planes of one bit. */
export const nested4 = nestedFormat(2, 25);
