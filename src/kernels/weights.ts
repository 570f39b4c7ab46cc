/** What kernels that read weights are linked with, for each weight format. All of it follows from the table in src/weights. */
import halfSoftware from '../../shaders/lib/half-software.wgsl?raw';
import halfSource from '../../shaders/lib/half.wgsl?raw';
import scalesSource from '../../shaders/lib/scales.wgsl?raw';
import unit1 from '../../shaders/lib/unit-1.wgsl?raw';
import unit2 from '../../shaders/lib/unit-2.wgsl?raw';
import unit4 from '../../shaders/lib/unit-4.wgsl?raw';
import unit8 from '../../shaders/lib/unit-8.wgsl?raw';
import { invariant } from '../errors.ts';
import { render, type Part } from '../gpu/program.ts';
import { BUILT_IN_FORMATS, weightFormat, type FormatName } from '../weights/formats/index.ts';
import { EXACT } from '../weights/matrix.ts';
import type { Scalar } from './common.ts';
import type { Variant } from './kernel.ts';

/** The format in which every form of a kernel is listed. */
const LISTED: FormatName = EXACT;

/**
 * The variants that a kernel lists, from its forms: each with f32, and each schedule once with each other format, so that
 * formats and schedules meet in pairs. Those have f32 activations, which every device can run; what else forms differ in
 * takes turns.
 *
 * @param schedules - the forms without a format, by how they divide the work
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

/** Every form of a kernel in one format, built in or registered: what the engine chooses from. */
export function inFormat<V extends { readonly format: FormatName }>(
  { variants }: { readonly variants: readonly V[] },
  format: FormatName,
): V[] {
  return variants.filter((variant) => variant.format === LISTED).map((variant) => ({ ...variant, format }));
}

/** Weights in one 16-byte load: the step in which kernels walk along a row. `cols` is a multiple of it. */
export function unitWeights(format: FormatName): number {
  return weightFormat(format).unit;
}

/** vec4s of values in a unit of weights. */
export function unitVec4s(format: FormatName): number {
  return unitWeights(format) / 4;
}

/**
 * `UNIT`, `unpack_unit`: reads weights of one format out of `array<vec4<u32>>` words. See the files' headers.
 * `scale_value`: an f16 scale of theirs, subnormal or not.
 *
 * @param isForSoftware - in forms that only software adapters run
 */
export function weightsParts(format: FormatName, isForSoftware = false): Part[] {
  const { unpack } = weightFormat(format).wgsl;
  return [
    isForSoftware
      ? { name: 'lib/half-software.wgsl', text: halfSoftware }
      : { name: 'lib/half.wgsl', text: halfSource },
    { name: `lib/weights-${format}.wgsl`, text: unpack },
  ];
}

/** Whether units have more besides their 16 bytes than an f16 scale. */
export function isSided(format: FormatName): boolean {
  return weightFormat(format).wgsl.sided ?? false;
}

/** A text that does otherwise for formats that have a side. */
export function renderFor(format: FormatName, part: Part): Part {
  return render(part, { sided: isSided(format) });
}

/** `unit_scale(row, unit, cols, first_word)` for the matrix that is bound under a name. */
export function scalesPart(format: FormatName, matrix: string): Part {
  const { block, planes } = weightFormat(format);
  const scaled = planes(1, block).some(({ name }) => name === 'scales');
  const part = { name: 'lib/scales.wgsl', text: scalesSource };
  return render(part, { sided: isSided(format), scaled, matrix });
}

/** `UnitInputs`, `unit_inputs`, `unit_dot`: a unit of weights against inputs held in registers. */
export function dotPart(format: FormatName): Part {
  return { name: `lib/dot-${format}.wgsl`, text: weightFormat(format).wgsl.dot };
}

/** `STEP`, `step_inputs`, `step_dot`: some units of weights against columns of x, value by value. */
export function stepPart(format: FormatName): Part {
  return { name: `lib/step-${format}.wgsl`, text: weightFormat(format).wgsl.step };
}

const UNITS: Readonly<Record<number, string>> = { 1: unit1, 2: unit2, 4: unit4, 8: unit8 };

/** `XUnit`, `WUnit`, `x_unit`, `mad_unit`: a unit of columns of x against units of four outputs. */
export function unitPart(format: FormatName): Part {
  const vec4s = unitVec4s(format);
  const text = UNITS[vec4s];
  invariant(text, () => `no part for units of ${vec4s} vec4s`);
  return { name: `lib/unit-${vec4s}.wgsl`, text };
}

/** Rows of a weight matrix are whole units, and whole blocks where weights share scales. */
export function assertWholeUnits(format: FormatName, cols: number): void {
  const { block } = weightFormat(format);
  invariant(cols > 0 && cols % block === 0, () => `${cols} columns of ${format}: not a multiple of ${block}`);
}
