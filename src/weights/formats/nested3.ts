/** Nested bit planes of 3 bits: the base and 1 of its refinements. */
import { nestedFormat } from '../nested-planes.ts';

/** Nested groups of 128 weights: 2 bits and 1 plane of one bit. */
export const nested3 = nestedFormat(1, 24);
