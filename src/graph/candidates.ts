/** Candidates for a node: the kernel variants that a device can run, their order, and those that it has rejected. */
import type { Gpu } from '../gpu/device.ts';
import type { Bindings, Feature } from '../gpu/program.ts';
import type { Variant } from '../kernels/kernel.ts';

/** The facts about a device that lowering needs; the device need not be open. */
export type DeviceFacts = Pick<Gpu, 'features' | 'limits' | 'adapterClass'>;

/** The facts about a kernel that a choice needs. */
export interface Choosable<V extends Variant> {
  readonly name: string;
  readonly key: (variant: V) => string;
  readonly features?: (variant: V) => readonly string[];
  readonly bindings?: Bindings;
  readonly bindingsOf?: (variant: V) => Bindings;
}

/** Variants with fewer lanes are for software adapters: lanes run in turn, in subgroups of four consecutive lanes. */
const MIN_HARDWARE_LANES = 16;

function lanesOf(variant: Variant): number {
  if (variant['form'] === 'quad') return 4;
  return typeof variant['wg'] === 'number' ? variant['wg'] : Infinity;
}

/** Whether a variant relies on properties of software adapters: the order of lanes, or barriers that cost more than rows. */
export function isSoftwareForm(variant: Variant): boolean {
  return lanesOf(variant) < MIN_HARDWARE_LANES;
}

/**
 * The variants that a device can run, the default first. On software adapters, variants with fewer lanes come first, because a
 * barrier costs as much as a row. On hardware, variants for software are omitted and the widest comes first, with subgroups if
 * available. The sort is stable.
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
 * The pipelines and candidates that an adapter has rejected, with reasons. They are skipped from then on, so that one failing
 * variant does not prevent a model from loading.
 */
export class Refusals {
  readonly #reasons = new Map<string, { readonly kernel: string; readonly reason: string }>();

  /** Records a pipeline that does not compile. */
  addPipeline(key: string, reason: string): void {
    this.#reasons.set(key, { kernel: key, reason });
  }

  /** Records a candidate of a choice that cannot be bound or run. */
  addCandidate(choice: string, candidate: string, reason: string): void {
    this.#reasons.set(`${choice}: ${candidate}`, { kernel: `${candidate} for ${choice}`, reason });
  }

  /** All rejections, for reports. */
  get list(): readonly { readonly kernel: string; readonly reason: string }[] {
    return [...this.#reasons.values()];
  }

  /** Whether a pipeline was rejected. */
  hasPipeline(key: string): boolean {
    return this.#reasons.has(key);
  }

  /** The candidates of a choice that were not rejected; all of them if none is left, so that the error is reported. */
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
