/** The parts that kernels which read weights are linked with, by weight format, derived from the table in src/weights. */
import half from '../../shaders/lib/half.wgsl?raw';
import halfSoftware from '../../shaders/lib/half-software.wgsl?raw';
import load1 from '../../shaders/lib/load-1.wgsl?raw';
import load2 from '../../shaders/lib/load-2.wgsl?raw';
import scalesSource from '../../shaders/lib/scales.wgsl?raw';
import { invariant } from '../errors.ts';
import { render, type Part } from '../gpu/program.ts';
import { BUILT_IN_FORMATS, weightFormat, type FormatName } from '../weights/formats/index.ts';
import type { FormatSource } from '../weights/format.ts';
import { EXACT } from '../weights/matrix.ts';
import type { Scalar } from './common.ts';
import { hardwarePart } from './forms/parts.ts';
import type { Variant } from './kernel.ts';

/** The format with which every form of a kernel is listed. */
const LISTED: FormatName = EXACT;

/**
 * The variants that a kernel lists, from its forms: each with f32, and each schedule once with every other format
 * (pairwise coverage). The latter have f32 activations, which every device can run, and cycle through the other properties
 * of forms.
 *
 * @param schedules - the forms without a format, by division of work
 */
export function listFormats<F extends Variant & { readonly scalar: Scalar }>(
  schedules: Iterable<readonly F[]>,
): (F & { readonly format: FormatName })[] {
  const lists = [...schedules];
  const others = BUILT_IN_FORMATS.filter((format) => format !== LISTED);
  const pairs = others.flatMap((format, row) =>
    lists.flatMap((forms, column) => {
      const plain = forms.filter(({ scalar }) => scalar === 'f32');
      const form = plain[(row + column) % plain.length];
      return form ? [{ ...form, format }] : [];
    }),
  );
  return [...lists.flat().map((form) => ({ ...form, format: LISTED })), ...pairs];
}

/** Every form of a kernel with one format, built in or registered. */
export function inFormat<V extends { readonly format: FormatName }>(
  { variants }: { readonly variants: readonly V[] },
  format: FormatName,
): V[] {
  return variants.filter((variant) => variant.format === LISTED).map((variant) => ({ ...variant, format }));
}

/** Number of weights in a unit, one 16-byte load of a row, or half of one. `cols` is a multiple of it. */
export function unitWeights(format: FormatName): number {
  return weightFormat(format).unit;
}

/** Number of vec4s of unpacked values in a unit. */
export function unitVec4s(format: FormatName): number {
  return unitWeights(format) / 4;
}

/**
 * WGSL `load_index`, the place of a unit among loads of 16 bytes; `UNIT`, `unpack_unit`: unpacks weights of a format from `array<vec4<u32>>` (see the files' headers), and
 * `scale_value`: an f16 scale as f32, including subnormal ones.
 *
 * @param isForSoftware - for variants that only software adapters run
 */
export function weightsParts(format: FormatName, isForSoftware = false): Part[] {
  const { unitBytes, wgsl } = weightFormat(format);
  return [
    unitBytes === 8 ? { name: 'lib/load-2.wgsl', text: load2 } : { name: 'lib/load-1.wgsl', text: load1 },
    isForSoftware
      ? { name: 'lib/half-software.wgsl', text: halfSoftware }
      : { name: 'lib/half.wgsl', text: half },
    ...sourceParts(wgsl.unpack, `lib/weights-${format}.wgsl`),
  ];
}

function sourceParts(source: FormatSource, name: string): readonly Part[] {
  return typeof source === 'string' ? [{ name, text: source }] : source;
}

/** Whether units have data besides their 16 bytes and an f16 scale. */
export function isSided(format: FormatName): boolean {
  return weightFormat(format).wgsl.sided ?? false;
}

/** Renders a part for a format, with the mark `sided` if the format is sided. */
export function renderFor(format: FormatName, part: Part): Part {
  return render(part, { sided: isSided(format) });
}

/** WGSL `unit_scale(row, unit, cols, first_word)` for the matrix bound to `matrix`. */
export function scalesPart(format: FormatName, matrix: string): Part {
  const { block, planes } = weightFormat(format);
  const scaled = planes(1, block).some(({ name }) => name === 'scales');
  const part = { name: 'lib/scales.wgsl', text: scalesSource };
  return render(part, { sided: isSided(format), scaled, matrix });
}

/** WGSL `UnitInputs`, `unit_inputs`, `unit_dot`: products of a unit of weights with inputs in registers. */
export function dotParts(format: FormatName): readonly Part[] {
  return sourceParts(weightFormat(format).wgsl.dot, `lib/dot-${format}.wgsl`);
}

/** WGSL `STEP`, `step_inputs`, `step_dot`: products of STEP units of weights with columns of x, value by value. */
export function stepParts(format: FormatName): readonly Part[] {
  return sourceParts(weightFormat(format).wgsl.step, `lib/step-${format}.wgsl`);
}

/** WGSL `XUnit`, `WUnit`, `x_unit`, `mad_unit`: products of a unit of columns of x with units of four outputs. */
export function unitPart(format: FormatName): Part {
  const vec4s = unitVec4s(format);
  invariant(
    vec4s === 1 || vec4s === 2 || vec4s === 4 || vec4s === 8,
    () => `no part for units of ${vec4s} vec4s`,
  );
  return hardwarePart(`lib/unit-${vec4s}`);
}

/** Checks that rows of `cols` weights consist of whole units and, in formats with scales, of whole blocks. */
export function assertWholeUnits(format: FormatName, cols: number): void {
  const { block } = weightFormat(format);
  invariant(cols > 0 && cols % block === 0, () => `${cols} columns of ${format}: not a multiple of ${block}`);
}
