/** NVFP4: blocks of 64 floats of 4 bits, and an unsigned float of 8 bits (E4M3) for each 16; w = scale * value. */
import { fp4Format } from '../fp4-groups.ts';

/** 4-bit floating-point blocks of 64 weights with scales of 8 bits (ggml's NVFP4). */
export const nvfp4 = fp4Format('nvfp4', false);
