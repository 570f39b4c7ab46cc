/** Classification of adapters: a hardware GPU or a software implementation on the CPU. */
import { AtomoeError } from '../errors.ts';

/**
 * - `hardware`: many lanes run concurrently, barriers are cheap
 * - `software`: lanes run in turn, barriers are expensive, subgroups are four consecutive lanes
 */
export type AdapterClass = 'hardware' | 'software';

const CLASSES: readonly string[] = ['hardware', 'software'] satisfies AdapterClass[];

/**
 * The class of an adapter: `software` if it reports to be a fallback adapter, else `hardware`. `wanted` (the `adapterClass`
 * option of an engine) overrides it, as does ATOMOE_ADAPTER (a variable of Node's environment, or of `globalThis`) for a whole
 * process or page; tests use it to run the kernel variants for hardware on a software adapter.
 *
 * @throws {AtomoeError} bad-input - the override is neither 'hardware' nor 'software'
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
