/** Every weight format. A new one is added to the table and nowhere else; one from outside is registered. */
import { AtomoeError } from '../../errors.ts';
import type { WeightFormat } from '../format.ts';
import { bf16 } from './bf16.ts';
import { f16 } from './f16.ts';
import { f32 } from './f32.ts';
import { q4_0 } from './q4_0.ts';
import { q8_0 } from './q8_0.ts';

/** The built-in weight formats. */
export const FORMATS = { f32, f16, bf16, q8_0, q4_0 } as const satisfies Readonly<
  Record<string, WeightFormat>
>;

/** The name of a built-in format. */
export type BuiltInFormat = keyof typeof FORMATS;

/** A built-in format, or one that was registered. */
export type FormatName = BuiltInFormat | (string & {});

/** The built-in formats that no element type of files is. */
export type QuantizedFormat = {
  [N in BuiltInFormat]: (typeof FORMATS)[N] extends { readonly storedAs: string } ? never : N;
}[BuiltInFormat];

/** The names of the built-in formats. */
export const BUILT_IN_FORMATS = Object.keys(FORMATS) as readonly BuiltInFormat[];

const known = new Map<string, WeightFormat>(Object.entries(FORMATS));

/**
 * Adds a format from outside the package, for all engines of this thread. The same one may be registered again.
 *
 * @throws {AtomoeError} bad-input - another format has its name, its blocks and units do not fit, or it is no format
 */
export function registerFormat(format: WeightFormat): void {
  assertFormat(format);
  const { name, block, unit } = format;
  const other = known.get(name);
  if (other && other !== format) {
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

/** @throws {AtomoeError} bad-input - no format has this name */
export function weightFormat(name: FormatName): WeightFormat {
  const found = known.get(name);
  if (found) return found;
  throw new AtomoeError('bad-input', `no weight format "${name}"; wanted ${[...known.keys()].join(', ')}`);
}

/** Names of all formats of some kind, registered ones behind the built-in ones. */
export function formatNames(isWanted: (format: WeightFormat) => boolean = () => true): FormatName[] {
  return [...known.values()].filter(isWanted).map(({ name }) => name);
}

/** Whether the format is one that matrices are re-encoded in while they are loaded. */
export function isQuantized({ storedAs, encode }: WeightFormat): boolean {
  return storedAs === undefined && encode !== undefined;
}
