/** What files of recurrent mixers have otherwise than Hugging Face's checkpoints. */
import type { DerivedTensor } from './architecture.ts';

/** The file has a = -exp(A_log). @param name - of A_log within a layer */
export function logarithms(name: string): DerivedTensor {
  return {
    name,
    from: ['ssm_a'],
    shape: ([shape = []]) => flat(shape),
    values: ([values]) => Float32Array.from(values ?? [], (value) => Math.log(-value)),
  };
}

/** Vectors that the file has as matrices. */
export function flat(shape: readonly number[]): readonly number[] {
  return [shape.reduce((product, size) => product * size, 1)];
}

/** The taps of a depthwise convolution. */
export function taps([channels = 0, count = 0]: readonly number[]): readonly number[] {
  return [channels, 1, count];
}
