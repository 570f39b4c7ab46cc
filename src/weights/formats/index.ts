/** Every weight format. A new one is a row of a table here; `registerFormat` adds one from outside. */
import { AtomoeError, invariant } from '../../errors.ts';
import type { WeightFormat } from '../format.ts';
import { bf16 } from './bf16.ts';
import { f16 } from './f16.ts';
import { f32 } from './f32.ts';

/** The formats of plain tensor files. */
export const STORED = { f32, f16, bf16 } as const satisfies Readonly<Record<string, WeightFormat>>;

/** The formats for quantisation at load time. Each is loaded when a model uses it (`loadFormats`). */
const QUANTIZED = {
  q8_0: async () => (await import('./q8_0.ts')).q8_0,
  q4_0: async () => (await import('./q4_0.ts')).q4_0,
  nested4: async () => (await import('./nested4.ts')).nested4,
  nested3: async () => (await import('./nested3.ts')).nested3,
  nested2: async () => (await import('./nested2.ts')).nested2,
} as const satisfies Readonly<Record<string, () => Promise<WeightFormat>>>;

/** The formats of files that are quantised already; nothing is encoded as these. */
const QUANTIZED_FILES = {
  q4_k: async () => (await import('./q4_k.ts')).q4_k,
  q5_k: async () => (await import('./q5_k.ts')).q5_k,
  q6_k: async () => (await import('./q6_k.ts')).q6_k,
  q3_k: async () => (await import('./q3_k.ts')).q3_k,
  q2_k: async () => (await import('./q2_k.ts')).q2_k,
  q4_1: async () => (await import('./q4_1.ts')).q4_1,
  q5_0: async () => (await import('./q5_0.ts')).q5_0,
  q5_1: async () => (await import('./q5_1.ts')).q5_1,
  mxfp4: async () => (await import('./mxfp4.ts')).mxfp4,
  nvfp4: async () => (await import('./nvfp4.ts')).nvfp4,
  iq4_nl: async () => (await import('./iq4_nl.ts')).iq4_nl,
  iq4_xs: async () => (await import('./iq4_xs.ts')).iq4_xs,
  iq3_s: async () => (await import('./iq3_s.ts')).iq3_s,
  iq3_xxs: async () => (await import('./iq3_xxs.ts')).iq3_xxs,
  iq2_s: async () => (await import('./iq2_s.ts')).iq2_s,
  iq2_xs: async () => (await import('./iq2_xs.ts')).iq2_xs,
  iq2_xxs: async () => (await import('./iq2_xxs.ts')).iq2_xxs,
  iq1_m: async () => (await import('./iq1_m.ts')).iq1_m,
  iq1_s: async () => (await import('./iq1_s.ts')).iq1_s,
  tq2_0: async () => (await import('./tq2_0.ts')).tq2_0,
  tq1_0: async () => (await import('./tq1_0.ts')).tq1_0,
  f4_g16: async () => (await import('./f4_g16.ts')).f4_g16,
  f8_g128: async () => (await import('./f8_g128.ts')).f8_g128,
  i8_g128: async () => (await import('./i8_g128.ts')).i8_g128,
  u4_g32: async () => (await import('./u4_g32.ts')).u4_g32,
} as const satisfies Readonly<Record<string, () => Promise<WeightFormat>>>;

/** The name of a built-in format to which matrices can be quantised. */
export type QuantizedFormat = keyof typeof QUANTIZED;
/** The name of a built-in format. */
export type BuiltInFormat = keyof typeof STORED | QuantizedFormat | keyof typeof QUANTIZED_FILES;

/** The name of a format, built in or registered. */
export type FormatName = BuiltInFormat | (string & {});

const LISTED_QUANTIZED = Object.keys(QUANTIZED) as readonly QuantizedFormat[];

const LOADED_LATER = { ...QUANTIZED, ...QUANTIZED_FILES };
const LISTED_LATER = Object.keys(LOADED_LATER) as readonly (keyof typeof LOADED_LATER)[];

/** Names of all built-in formats, loaded or not. */
export const BUILT_IN_FORMATS: readonly BuiltInFormat[] = [
  ...(Object.keys(STORED) as readonly (keyof typeof STORED)[]),
  ...LISTED_LATER,
];

/** Loaded and registered formats by name. */
const known = new Map<string, WeightFormat>(Object.entries(STORED));

/**
 * Loads the formats of a model, before it is planned.
 *
 * @param names - of formats; loaded formats and unknown names are ignored
 */
export async function loadFormats(names: Iterable<unknown>): Promise<void> {
  const wanted = LISTED_LATER.filter((name) => new Set(names).has(name) && !known.has(name));
  const formats = await Promise.all(wanted.map((name) => LOADED_LATER[name]()));
  for (const format of formats) known.set(format.name, format);
}

/**
 * Adds a format from outside the package, for all engines of this thread. The same one may be registered again.
 *
 * @throws {AtomoeError} bad-input - the name is taken, blocks and units are inconsistent, or the object is not a format
 */
export function registerFormat(format: WeightFormat): void {
  assertFormat(format);
  const { name, block, unit } = format;
  if (known.get(name) !== format && formatNames().includes(name)) {
    throw new AtomoeError('bad-input', `a weight format "${name}" exists already; choose another name`);
  }
  if (![4, 8, 16, 32].includes(unit) || block < unit || block % unit !== 0) {
    throw new AtomoeError(
      'bad-input',
      `weight format "${name}" has blocks of ${block} and units of ${unit}; wanted units of 4, 8, 16 or 32 weights and ` +
        `blocks of whole units; correct its description`,
    );
  }
  known.set(name, format);
}

function assertFormat(format: Partial<WeightFormat> | null | undefined): void {
  const { name, planes, decode, wgsl } = format ?? {};
  const hasAll = typeof planes === 'function' && typeof decode === 'function' && typeof wgsl === 'object';
  if (typeof name === 'string' && name !== '' && hasAll && wgsl !== null) return;
  throw new AtomoeError(
    'bad-input',
    `a weight format has to be an object with name, block, unit, planes(), decode() and wgsl; ` +
      `${JSON.stringify(name ?? null)} is not; complete it`,
  );
}

/**
 * The format with this name.
 *
 * @throws {AtomoeError} bad-input - no format has this name
 */
export function weightFormat(name: FormatName): WeightFormat {
  const found = known.get(name);
  if (found) return found;
  const names = formatNames();
  invariant(!names.includes(name), () => `the weight format "${name}" is not loaded: await loadFormats`);
  throw new AtomoeError('bad-input', `no weight format "${name}"; wanted ${names.join(', ')}`);
}

/** Names of all formats: built-in ones, then registered ones. */
export function formatNames(): FormatName[] {
  return [...new Set<FormatName>([...BUILT_IN_FORMATS, ...known.keys()])];
}

/** Names of the formats to which matrices can be quantised at load time. */
export function quantizedNames(): FormatName[] {
  const registered = [...known.values()].filter(({ storedAs, encode }) => storedAs === undefined && encode);
  return [...new Set<FormatName>([...LISTED_QUANTIZED, ...registered.map(({ name }) => name)])];
}
