import type { Access, Bindings, Feature, Params, ParamType, Part, Program } from '../gpu/program.ts';
import type { Grid } from '../gpu/recorder.ts';

/** A variant is a plain object of literals: all choices of one compiled form of a kernel. */
export type Variant = Readonly<Record<string, string | number | boolean>>;

/**
 * A kernel as data and pure functions: bindings, parameters, variants, the parts that each is linked from, and the grid for
 * a problem size.
 */
export interface Kernel<
  B extends Record<string, Access> = Record<string, Access>,
  P extends Record<string, ParamType> = Record<string, ParamType>,
  V extends Variant = Variant,
  S = never,
> {
  readonly name: string;
  readonly bindings: B;
  readonly params: P;
  /** The variants that tests compile and run. Kernels that read weights list them by `listFormats`. */
  readonly variants: readonly V[];
  readonly parts: (variant: V) => readonly Part[];
  readonly overrides: (variant: V) => Readonly<Record<string, number>>;
  readonly features?: (variant: V) => readonly Feature[];
  readonly key: (variant: V) => string;
  readonly grid: (size: S, variant: V) => Grid;
  /** Bindings of a variant, where they differ from `bindings`. */
  readonly bindingsOf?: (variant: V) => Bindings;
}

/** Defines a kernel and infers its literal types, which type-check dispatches. */
export function defineKernel<
  const B extends Record<string, Access>,
  const P extends Record<string, ParamType>,
  const V extends Variant,
  S,
>(kernel: Kernel<B, P, V, S>): Kernel<B, P, V, S> {
  return kernel;
}

/** The values of a kernel's parameters, by name. */
export type ParamValues<K> = K extends { readonly params: infer P }
  ? { readonly [N in keyof P]: number }
  : never;

/** The program of a kernel's variant, for the pipeline cache. */
export function program<
  B extends Record<string, Access>,
  P extends Record<string, ParamType>,
  V extends Variant,
  S,
>(kernel: Kernel<B, P, V, S>, variant: V): Program {
  return {
    key: kernel.key(variant),
    bindings: kernel.bindingsOf?.(variant) ?? kernel.bindings,
    params: kernel.params as Params,
    parts: kernel.parts(variant),
    overrides: kernel.overrides(variant),
    features: kernel.features?.(variant) ?? [],
  };
}

/** The programs of all variants of a kernel, with erased types. */
export function programs<
  B extends Record<string, Access>,
  P extends Record<string, ParamType>,
  V extends Variant,
  S,
>(kernel: Kernel<B, P, V, S>): Program[] {
  return kernel.variants.map((variant) => program(kernel, variant));
}

/** Every combination of the given choices, in order: `cross({ a: [1, 2], b: ['x'] })`. */
export function cross<const C extends Readonly<Record<string, readonly (string | number | boolean)[]>>>(
  choices: C,
): { readonly [N in keyof C]: C[N][number] }[] {
  let rows: Record<string, string | number | boolean>[] = [{}];
  for (const [name, values] of Object.entries(choices)) {
    rows = rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value })));
  }
  return rows as { readonly [N in keyof C]: C[N][number] }[];
}

/** Pairwise combinations: a small set that contains every pair of values of two choices. For choices that do not interact. */
export function pairs<const C extends Readonly<Record<string, readonly (string | number | boolean)[]>>>(
  choices: C,
): { readonly [N in keyof C]: C[N][number] }[] {
  const left = cross(choices);
  const pairsOf = (row: object) => {
    const values = Object.entries(row).map(([name, value]) => `${name}=${value}`);
    return values.flatMap((one, index) => values.slice(index + 1).map((other) => `${one} ${other}`));
  };
  const missing = new Set(left.flatMap(pairsOf));
  const gain = (row: object) => pairsOf(row).filter((pair) => missing.has(pair)).length;
  const rows: typeof left = [];
  while (missing.size > 0) {
    const best = left.reduce((most, row) => (gain(row) > gain(most) ? row : most));
    rows.push(best);
    for (const pair of pairsOf(best)) missing.delete(pair);
  }
  return rows;
}
