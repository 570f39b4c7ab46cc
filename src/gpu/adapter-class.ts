/** Whether an adapter is treated as a GPU or as a program on the CPU. */
import { AtomoeError } from '../errors.ts';

/**
 * - `hardware`: many lanes run at once, barriers are cheap
 * - `software`: lanes take turns, barriers are expensive, subgroups have four lanes in order
 */
export type AdapterClass = 'hardware' | 'software';

const CLASSES: readonly string[] = ['hardware', 'software'] satisfies AdapterClass[];

/**
 * What an adapter counts as. A software adapter can be run as if it were hardware, which runs the forms that only
 * GPUs take otherwise: by `wanted` (the `adapterClass` option of an engine), or for a whole process or page by
 * ATOMOE_ADAPTER (a variable of Node's environment, or of `globalThis`). Nothing else decides it.
 *
 * @throws {AtomoeError} bad-input - neither 'hardware' nor 'software'
 */
export function adapterClass(info: GPUAdapterInfo | undefined, wanted?: AdapterClass): AdapterClass {
  const forced = wanted ?? fromEnvironment();
  if (forced === undefined) return info?.isFallbackAdapter === true ? 'software' : 'hardware';
  if (CLASSES.includes(forced)) return forced as AdapterClass;
  throw new AtomoeError(
    'bad-input',
    `the adapter class is ${JSON.stringify(forced)}; wanted "hardware" or "software"; ` +
      'correct adapterClass or ATOMOE_ADAPTER, or leave it out',
  );
}

function fromEnvironment(): string | undefined {
  const { process, ATOMOE_ADAPTER } = globalThis as {
    process?: { env?: Readonly<Record<string, string | undefined>> };
    ATOMOE_ADAPTER?: string;
  };
  return ATOMOE_ADAPTER || process?.env?.['ATOMOE_ADAPTER'] || undefined;
}
