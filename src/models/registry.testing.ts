/** The built-in families, preloaded so that tests of configs are synchronous. Not part of the library. */
import { CLASS_DEFAULTS } from './class-defaults.ts';
import type { ConfigValues } from './config.ts';
import type { ConfigFamily } from './family.ts';
import { FAMILIES, findFamily, parseOwn } from './registry.ts';
import type { ModelSpec } from './spec.ts';

const loaded = new Map<unknown, ConfigFamily>(
  await Promise.all(FAMILIES.map(async (listed) => [listed, await listed.load()] as const)),
);

/** `parseModel`, synchronously. */
export function parseConfig(config: ConfigValues, label: string): { readonly spec: ModelSpec } {
  const family = loaded.get(findFamily(config, label));
  if (!family) throw new Error(`${label}: a family that is not listed`);
  return { spec: parseOwn(family, config, label, { classes: CLASS_DEFAULTS }) };
}
