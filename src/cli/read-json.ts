import { readFileSync } from 'node:fs';
import { UsageError } from './arguments.ts';

/**
 * The object in a JSON file.
 *
 * @param what - what messages call it
 * @throws {UsageError} - the file is not there, or no JSON
 */
export function readJson(path: string, what: string): object {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as object;
  } catch (cause) {
    throw new UsageError(`${path} is no ${what}: ${String(cause)}; wanted a JSON file`);
  }
}
