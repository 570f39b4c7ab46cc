import { AtomoeError } from '../errors.ts';

/**
 * Kernels load four values at a time.
 *
 * @throws {AtomoeError} unsupported-model - a size that is no multiple of 4
 */
export function checkQuads(label: string, name: string, value: number): void {
  if (value % 4 === 0) return;
  throw new AtomoeError(
    'unsupported-model',
    `${label} config.json: ${name} is ${value}; wanted a multiple of 4; choose another model`,
  );
}
