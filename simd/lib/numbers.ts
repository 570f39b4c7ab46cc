/** The numbers of weight formats: `WeightFormat.simd` in src/weights/formats. */
export const F32: u32 = 0;
export const F16: u32 = 1;
export const BF16: u32 = 2;
export const Q8_0: u32 = 3;
export const Q4_0: u32 = 4;
// From here on formats have `linear`, `glu` and `embedding` alone. First those of src/weights/coded-blocks.ts:
export const Q4_K: u32 = 5;
export const Q5_K: u32 = 6;
export const Q6_K: u32 = 7;
export const Q4_1: u32 = 8;
export const Q5_0: u32 = 9;
export const Q5_1: u32 = 10;
export const MXFP4: u32 = 11;
export const IQ4_NL: u32 = 12;
export const IQ4_XS: u32 = 13;
export const Q3_K: u32 = 14;
export const Q2_K: u32 = 15;
export const U4_G32: u32 = 16;
// of src/weights/grid-levels.ts, by their levels:
export const IQ2: u32 = 17;
export const IQ3: u32 = 18;
export const ODD: u32 = 19;
// and of src/weights/byte-groups.ts:
export const F8_G128: u32 = 20;
export const I8_G128: u32 = 21;

// and of src/weights/fp4-groups.ts, which is coded like grids:
export const FP4: u32 = 22;

// and of src/weights/nested-planes.ts:
export const NESTED2: u32 = 23;
export const NESTED3: u32 = 24;
export const NESTED4: u32 = 25;
// and of src/weights/ternary-blocks.ts, coded like q2_k:
export const TERNARY: u32 = 26;

/** Added to the numbers of q8_0 and q4_0: activations are quantised, too, where rows are few. */
export const INT8: u32 = 64;

/** Whether the weights are of a format, whatever the activations are. */
// @ts-ignore: decorator
@inline
export function is(format: u32, weights: u32): bool {
  return (format & (INT8 - 1)) == weights;
}

/** Whether a format is one of src/weights/coded-blocks.ts. */
// @ts-ignore: decorator
@inline
export function isCoded(format: u32): bool {
  return (format >= Q4_K && format <= ODD) || format == FP4 || format == TERNARY;
}

/** Whether a coded format is one of src/weights/grid-levels.ts. */
// @ts-ignore: decorator
@inline
export function isGrid(format: u32): bool {
  return format >= IQ2 && format <= ODD;
}

/** Whether a format is one of src/weights/byte-groups.ts. */
// @ts-ignore: decorator
@inline
export function isByteGroups(format: u32): bool {
  return format == F8_G128 || format == I8_G128;
}

/** Whether a format is one of src/weights/nested-planes.ts. */
// @ts-ignore: decorator
@inline
export function isNested(format: u32): bool {
  return format >= NESTED2 && format <= NESTED4;
}
