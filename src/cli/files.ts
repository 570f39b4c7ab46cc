/** Files that options name. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { AtomoeError } from '../errors.ts';
import { UsageError } from './arguments.ts';

/** What the system says of a file, without the kind of error. */
export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/**
 * The object in a JSON file.
 *
 * @param what - what messages call it
 * @throws {UsageError} - the file cannot be read, or is no JSON
 */
export function readJson(path: string, what: string): object {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UsageError(`the ${what} cannot be read: ${reasonOf(cause)}; wanted a JSON file`, { cause });
  }
  try {
    return JSON.parse(text) as object;
  } catch (cause) {
    throw new UsageError(`${path} is no ${what}: ${reasonOf(cause)}; wanted JSON`, { cause });
  }
}

/** @throws {AtomoeError} bad-input - the file that `--option` names cannot be written */
export async function writeOut(option: string, path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((cause: unknown) => {
    throw new AtomoeError(
      'bad-input',
      `--${option} ${path} cannot be written: ${reasonOf(cause)}; choose another place`,
      { cause },
    );
  });
}
