import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { invariant } from '../errors.ts';

/** The version of this package. Its package.json is some folders above, in the sources and in the build alike. */
export async function atomoeVersion(): Promise<string> {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => '{}');
    const { name, version } = JSON.parse(text) as { name?: string; version?: string };
    if (name === 'atomoe' && version !== undefined) return version;
    invariant(folder !== dirname(folder), () => 'the package.json of atomoe is missing');
  }
}

/** The version of Dawn's package, where it is installed. */
export function dawnVersion(): string | undefined {
  try {
    const { version } = createRequire(import.meta.url)('webgpu/package.json') as { version?: string };
    return version;
  } catch {
    return undefined;
  }
}
