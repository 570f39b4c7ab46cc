/** F4: blocks of 64 floats of 4 bits, a f32 factor or divisor of all, and a float of 8 bits (E4M3) for each 16. */
import { fp4Format } from '../fp4-groups.ts';

/** As nvfp4, with the factor of a tensor: NVFP4 of compressed-tensors, and of GGUF files with scales of tensors. */
export const f4_g16 = fp4Format('f4_g16', true);
