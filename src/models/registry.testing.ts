/** The built-in families, preloaded so that tests of configs are synchronous. Not part of the library. */
import type { ConfigValues } from './config.ts';
import type { BuiltInFamily } from './family.ts';
import { FAMILIES, findFamily, parseOwn } from './registry.ts';
import type { ModelSpec } from './spec.ts';

const loaded = new Map<unknown, BuiltInFamily>(
  await Promise.all(FAMILIES.map(async (listed) => [listed, await listed.load()] as const)),
);

/** Defaults of transformers' classes by `model_type`. */
export const CLASS_DEFAULTS: ReadonlyMap<string, ConfigValues> = new Map(
  [...loaded.values()].flatMap(({ defaults }) => [...(defaults ?? [])]),
);

/** `parseModel`, synchronously. */
export function parseConfig(config: ConfigValues, label: string): { readonly spec: ModelSpec } {
  const family = loaded.get(findFamily(config, label));
  if (!family) throw new Error(`${label}: a family that is not listed`);
  return { spec: parseOwn(family, config, label) };
}
