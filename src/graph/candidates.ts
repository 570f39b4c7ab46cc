/** Of several equal kernels: which a device can run, in which order they are tried, and which it has refused. */
import type { Gpu } from '../gpu/device.ts';
import type { Bindings, Feature } from '../gpu/program.ts';
import type { Variant } from '../kernels/kernel.ts';

/** What lowering has to know of a device, which need not exist yet. */
export type DeviceFacts = Pick<Gpu, 'features' | 'limits' | 'adapterClass'>;

/** What choosing has to know of a kernel. */
export interface Choosable<V extends Variant> {
  readonly name: string;
  readonly key: (variant: V) => string;
  readonly features?: (variant: V) => readonly string[];
  readonly bindings?: Bindings;
  readonly bindingsOf?: (variant: V) => Bindings;
}

/** Forms of fewer lanes are written for software adapters: for lanes that take turns, in subgroups of four in order. */
const LEAST_HARDWARE_LANES = 16;

function lanesOf(variant: Variant): number {
  if (variant['form'] === 'quad') return 4;
  return typeof variant['wg'] === 'number' ? variant['wg'] : Infinity;
}

/** Whether a form relies on what only software adapters have: the order of lanes, or that barriers cost more than rows. */
export function isSoftwareForm(variant: Variant): boolean {
  return lanesOf(variant) < LEAST_HARDWARE_LANES;
}

/**
 * The variants that a device can run, the default first. On a software adapter each barrier costs as much as a row: fewest
 * lanes come first. On hardware software forms are left out, and the widest form comes first, with subgroups where there
 * are any. Equals keep their order.
 */
export function legalVariants<V extends Variant>(
  kernel: Choosable<V>,
  candidates: readonly V[],
  device: DeviceFacts,
): V[] {
  const legal = candidates.filter((variant) => canRun(kernel, variant, device));
  if (device.adapterClass === 'software') return legal.sort((a, b) => lanesOf(a) - lanesOf(b));
  const forHardware = legal.filter((variant) => !isSoftwareForm(variant));
  return (forHardware.length > 0 ? forHardware : legal).sort(byWidth);
}

function canRun<V extends Variant>(
  kernel: Choosable<V>,
  variant: V,
  { features, limits }: DeviceFacts,
): boolean {
  const bindings = kernel.bindingsOf?.(variant) ?? kernel.bindings ?? {};
  return (
    (kernel.features?.(variant) ?? []).every((feature) => features.has(feature as Feature)) &&
    Object.keys(bindings).length <= limits.maxStorageBuffers &&
    (lanesOf(variant) <= limits.maxInvocations || lanesOf(variant) === Infinity)
  );
}

function byWidth(a: Variant, b: Variant): number {
  const [wide, other] = [lanesOf(a), lanesOf(b)];
  if (wide !== other) return other > wide ? 1 : -1;
  return Number(b['subgroups'] === true) - Number(a['subgroups'] === true);
}

/**
 * What an adapter has refused to compile, lay out or run, and why. It is passed over from then on: one form that fails is
 * no reason not to load a model.
 */
export class Refusals {
  readonly #reasons = new Map<string, { readonly kernel: string; readonly reason: string }>();

  /** A pipeline that does not compile. */
  addPipeline(key: string, reason: string): void {
    this.#reasons.set(key, { kernel: key, reason });
  }

  /** A candidate of one choice that cannot be bound or run there. */
  addCandidate(choice: string, candidate: string, reason: string): void {
    this.#reasons.set(`${choice}: ${candidate}`, { kernel: `${candidate} for ${choice}`, reason });
  }

  get list(): readonly { readonly kernel: string; readonly reason: string }[] {
    return [...this.#reasons.values()];
  }

  hasPipeline(key: string): boolean {
    return this.#reasons.has(key);
  }

  /** The candidates of a choice that were not refused; all of them where none is left, so that the error shows. */
  remaining<W extends () => readonly { readonly program: { readonly key: string } }[]>(
    choice: string,
    ways: ReadonlyMap<string, W>,
  ): ReadonlyMap<string, W> {
    if (this.#reasons.size === 0) return ways;
    const left = [...ways].filter(
      ([candidate, make]) =>
        !this.#reasons.has(`${choice}: ${candidate}`) &&
        make().every(({ program }) => !this.#reasons.has(program.key)),
    );
    return left.length > 0 ? new Map(left) : ways;
  }
}
