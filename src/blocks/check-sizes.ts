import { AtomoeError } from '../errors.ts';

/**
 * Checks that a size is a multiple of 4: kernels load four values at a time.
 *
 * @throws {AtomoeError} unsupported-model - the size is not a multiple of 4
 */
export function checkQuads(label: string, name: string, value: number): void {
  if (value % 4 === 0) return;
  throw new AtomoeError(
    'unsupported-model',
    `${label} config.json: ${name} is ${value}; wanted a multiple of 4; choose another model`,
  );
}

/**
 * Checks the tokens that a convolution spans: with one, its state would be empty.
 *
 * @throws {AtomoeError} unsupported-model - fewer than 2
 */
export function checkTaps(label: string, taps: number): void {
  if (taps > 1) return;
  throw new AtomoeError(
    'unsupported-model',
    `${label}: a convolution over ${taps} token; wanted 2 or more; choose another model`,
  );
}
