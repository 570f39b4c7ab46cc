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
