import { render, type Part } from '../../gpu/program.ts';
import type { Grid } from '../../gpu/recorder.ts';
import { constants, featuresOf, foldGrid, gridPart, scalarPrelude, type Scalar } from '../common.ts';
import { hardwarePart, softwarePart } from '../forms/parts.ts';
import { defineKernel } from '../kernel.ts';
import {
  assertWholeUnits,
  isSided,
  listFormats,
  scalesPart,
  stepParts,
  unitPart,
  weightsParts,
} from '../weights.ts';
import type { FormatName } from '../../weights/formats/index.ts';

/** Problem size, which determines the grid; y is [rows, outs], sums run over `cols`. */
export interface LinearSize {
  readonly rows: number;
  readonly cols: number;
  readonly outs: number;
}

/** A variant: types, format and division of work. A type, not an interface: variants are open records. */
export type LinearVariant = {
  readonly scalar: Scalar; // of x
  readonly out: Scalar; // of y
  readonly format: FormatName;
  readonly bias: boolean;
  readonly rows: 1 | 4 | 8 | 32; // of x per read of a weight
  readonly outs: number; // outputs of a lane or team per read of x
  readonly lanes: number; // lanes that divide the columns of these outputs: a whole workgroup, or one
  readonly subgroups: boolean;
  readonly wg: number;
};

/** Parameters. A dispatch computes `outs` outputs, from rows of w from `first` on, and writes them to y from `y_first` on. */
export const LINEAR_PARAMS = {
  rows: 'u32',
  cols: 'u32',
  outs: 'u32',
  scales: 'u32',
  multiplier: 'f32',
  first: 'u32',
  y_first: 'u32',
  y_cols: 'u32',
} as const;

/** Bindings without a bias. */
export const LINEAR_PLAIN = { x: 'read', w: 'read', y: 'write' } as const;

/** Bindings with a bias [outs]. */
export const LINEAR_BIASED = { ...LINEAR_PLAIN, bias: 'read' } as const;

/** The parts common to all variants of the product. */
export function linearCommonParts({ scalar, out, format, subgroups, lanes }: LinearVariant): Part[] {
  return [
    scalarPrelude(scalar, subgroups),
    { name: 'result', text: `alias result = ${out};` },
    gridPart,
    ...weightsParts(format, lanes === 1),
    scalesPart(format, 'w'),
  ];
}

/** Teams: the lanes of a workgroup share the columns of four outputs. */
function teamParts(variant: LinearVariant): Part[] {
  const { format, bias, rows, subgroups } = variant;
  const stem = rows === 1 ? 'lib/rows-1' : 'lib/rows-4';
  return [
    ...linearCommonParts(variant),
    hardwarePart(stem),
    ...(subgroups ? [hardwarePart(`${stem}-subgroup`)] : []),
    unitPart(format),
    hardwarePart(subgroups ? 'lib/team-subgroup' : 'lib/team-workgroup'),
    render(hardwarePart('linear/linear'), { bias }),
  ];
}

/** The parts of variants with independent lanes; `linear-tiled` has such variants too, with more rows. */
export function linearLaneParts(variant: LinearVariant): Part[] {
  const { format, bias, rows, outs } = variant;
  return [
    ...linearCommonParts(variant),
    constants({ OUTS: outs }),
    softwarePart(`lib/lane-rows-${rows as 1 | 4 | 8}`),
    ...stepParts(format),
    render(softwarePart('linear/linear-lane'), { bias, sided: isSided(format) }),
  ];
}

/** The pipeline key of a variant. */
export function linearKey(name: string, variant: LinearVariant): string {
  const { scalar, out, format, bias, rows, outs, lanes, subgroups, wg } = variant;
  const types = scalar === out ? scalar : `${scalar}-${out}`;
  const shape = lanes === 1 ? `lane${wg}` : `${subgroups ? 'sg' : 'wg'}${wg}`;
  return `${name}/${types}/${format}${bias ? '+bias' : ''}/${rows}x${outs}/${shape}`;
}

/** The grid: tiles of outputs times tiles of rows. */
export function linearGrid({ rows, cols, outs }: LinearSize, variant: LinearVariant): Grid {
  assertWholeUnits(variant.format, cols);
  const tiles = Math.ceil(outs / variant.outs) * Math.ceil(rows / variant.rows);
  return foldGrid(Math.ceil((tiles * variant.lanes) / variant.wg));
}

/** Types of activations and results; results are f32 for logits. */
export const LINEAR_TYPES = [
  { scalar: 'f32', out: 'f32' },
  { scalar: 'f16', out: 'f16' },
  { scalar: 'f16', out: 'f32' },
] as const;

/** Shapes, combined with every type and bias, and pairwise with formats. Independent lanes are for adapters without shader-f16. */
export function linearVariants(
  shapes: readonly Pick<LinearVariant, 'rows' | 'outs' | 'lanes' | 'subgroups' | 'wg'>[],
): LinearVariant[] {
  const forms = LINEAR_TYPES.flatMap((types) => [false, true].map((bias) => ({ ...types, bias })));
  return listFormats(
    shapes.map((shape) =>
      forms
        .filter(({ scalar }) => shape.lanes > 1 || scalar === 'f32')
        .map((form) => ({ ...form, ...shape })),
    ),
  );
}

/**
 * y = multiplier * (x W^T + bias) for few rows.
 *
 * x [rows, cols], w [outs, cols] in any weight format, bias [outs] f32 -> y [rows, outs]; cols is a multiple of the unit
 *
 * Teams of 32 lanes read rows of weights in whole cache lines, for GPUs. Independent lanes, for software adapters, need no
 * barriers and use each read of x for 8 or 32 outputs.
 *
 * Lower bound: every byte of w is read once per `rows` rows of x: outs * cols * (4, 2, 1.0625 or 0.5625) bytes.
 * SwiftShader on two cores is limited by instructions, about 20 ns of one core per 4-byte load of four lanes:
 * 1024 x 1024 at 1 row, f32 5 ms, f16 and bf16 2.8 ms, q8_0 2.3 ms, q4_0 1.1 ms (1.9 GFLOP/s).
 */
export const linear = defineKernel({
  name: 'linear',
  bindings: LINEAR_BIASED,
  bindingsOf: ({ bias }) => (bias ? LINEAR_BIASED : LINEAR_PLAIN),
  params: LINEAR_PARAMS,
  variants: linearVariants([
    { rows: 1, outs: 4, lanes: 32, subgroups: false, wg: 32 },
    { rows: 1, outs: 4, lanes: 32, subgroups: true, wg: 32 },
    { rows: 4, outs: 4, lanes: 32, subgroups: false, wg: 32 },
    { rows: 4, outs: 4, lanes: 32, subgroups: true, wg: 32 },
    { rows: 1, outs: 8, lanes: 1, subgroups: false, wg: 4 },
    { rows: 1, outs: 32, lanes: 1, subgroups: false, wg: 4 },
    { rows: 4, outs: 8, lanes: 1, subgroups: false, wg: 4 },
  ]),
  parts: (variant) => (variant.lanes === 1 ? linearLaneParts(variant) : teamParts(variant)),
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: (variant) => linearKey('linear', variant),
  grid: (size: LinearSize, variant) => linearGrid(size, variant),
});
