/** Nested bit planes of 2 bits: the base alone. */
import { nestedFormat } from '../nested-planes.ts';

/** 2-bit groups of 128 weights, to which planes of one bit can be added. */
export const nested2 = nestedFormat(0, 23);
