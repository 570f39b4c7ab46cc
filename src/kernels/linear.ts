import source from '../../shaders/linear.wgsl?raw';
import rows1 from '../../shaders/lib/rows-1.wgsl?raw';
import rows1Subgroup from '../../shaders/lib/rows-1-subgroup.wgsl?raw';
import rows4 from '../../shaders/lib/rows-4.wgsl?raw';
import rows4Subgroup from '../../shaders/lib/rows-4-subgroup.wgsl?raw';
import teamAlone from '../../shaders/lib/team-alone.wgsl?raw';
import teamSubgroup from '../../shaders/lib/team-subgroup.wgsl?raw';
import teamWorkgroup from '../../shaders/lib/team-workgroup.wgsl?raw';
import unit1 from '../../shaders/lib/unit-1.wgsl?raw';
import unit2 from '../../shaders/lib/unit-2.wgsl?raw';
import unit4 from '../../shaders/lib/unit-4.wgsl?raw';
import unit8 from '../../shaders/lib/unit-8.wgsl?raw';
import xUnit1 from '../../shaders/lib/x-unit-1.wgsl?raw';
import xUnit2 from '../../shaders/lib/x-unit-2.wgsl?raw';
import xUnit4 from '../../shaders/lib/x-unit-4.wgsl?raw';
import xUnit4Shared from '../../shaders/lib/x-unit-4-shared.wgsl?raw';
import xUnit8 from '../../shaders/lib/x-unit-8.wgsl?raw';
import xUnit8Shared from '../../shaders/lib/x-unit-8-shared.wgsl?raw';
import { render, type Part } from '../gpu/program.ts';
import {
  constants,
  featuresOf,
  foldGrid,
  gridPart,
  scalarPrelude,
  WEIGHT_FORMATS,
  weightsPart,
  type Scalar,
  type WeightFormat,
} from './common.ts';
import { cross, defineKernel } from './kernel.ts';
import { assertWholeUnits, isScaled, scalesPart } from './weights.ts';

export interface LinearSize {
  readonly rows: number;
  readonly cols: number;
  readonly outs: number;
}

/** How a workgroup divides the work. */
export type LinearVariant = {
  readonly scalar: Scalar; // of x
  readonly out: Scalar; // of y
  readonly format: WeightFormat;
  readonly bias: boolean;
  readonly rows: 1 | 4 | 8; // of x, to a tile: a weight is read once for all of them
  readonly outs: 4 | 8; // to a tile
  readonly lanes: number; // that share a tile, each with a part of the columns
  readonly subgroups: boolean;
  readonly wg: number;
};

const PLAIN = { x: 'read', w: 'read', y: 'write' } as const;
const BIASED = { ...PLAIN, bias: 'read' } as const;

const UNITS = { f32: unit1, f16: unit2, bf16: unit2, q8_0: unit4, q4_0: unit8 } as const;
const X_UNITS = { f32: xUnit1, f16: xUnit2, bf16: xUnit2, q8_0: xUnit4, q4_0: xUnit8 } as const;
const X_UNITS_SHARED = { q8_0: xUnit4Shared, q4_0: xUnit8Shared } as const;

const lib = (name: string, text: string): Part => ({ name: `lib/${name}.wgsl`, text });

function xUnitPart({ format, lanes, subgroups }: LinearVariant): Part {
  if (subgroups && lanes === 1 && (format === 'q8_0' || format === 'q4_0')) {
    return lib(`x-unit shared ${format}`, X_UNITS_SHARED[format]);
  }
  return lib(`x-unit ${format}`, X_UNITS[format]);
}

function teamPart({ lanes, subgroups }: LinearVariant): Part {
  if (lanes === 1) return lib('team-alone', teamAlone);
  return subgroups ? lib('team-subgroup', teamSubgroup) : lib('team-workgroup', teamWorkgroup);
}

/** The text of linear.wgsl and all that it stands on. */
export function linearParts(variant: LinearVariant): Part[] {
  const { scalar, out, format, bias, rows, outs, lanes, subgroups } = variant;
  const wide = outs === 8;
  const tall = rows === 8;
  return [
    scalarPrelude(scalar, subgroups),
    { name: 'result', text: `alias result = ${out};` },
    constants({ LANES: lanes, TILE_ROWS: rows, TILE_OUTS: outs }),
    gridPart,
    weightsPart(format),
    scalesPart(format, 'w'),
    rows === 1 ? lib('rows-1', rows1) : lib('rows-4', rows4),
    ...(subgroups
      ? [rows === 1 ? lib('rows-1-subgroup', rows1Subgroup) : lib('rows-4-subgroup', rows4Subgroup)]
      : []),
    lib(`unit ${format}`, UNITS[format]),
    xUnitPart(variant),
    teamPart(variant),
    render({ name: 'linear.wgsl', text: source }, { bias, subgroups, wide, tall, both: wide && tall }),
  ];
}

export function linearKey(name: string, variant: LinearVariant): string {
  const { scalar, out, format, bias, rows, outs, lanes, subgroups, wg } = variant;
  const types = scalar === out ? scalar : `${scalar}-${out}`;
  const tile = `${rows}x${outs}/${lanes}${subgroups ? 'sg' : 'wg'}${wg}`;
  return `${name}/${types}/${format}${bias ? '+bias' : ''}/${tile}`;
}

/** Activations in and results out: results stay in f32 where logits are wanted. */
export const LINEAR_TYPES = [
  { scalar: 'f32', out: 'f32' },
  { scalar: 'f16', out: 'f16' },
  { scalar: 'f16', out: 'f32' },
] as const;

/**
 * Shapes for few rows. Teams of 32 lanes read a row of weights in whole cache lines: for GPUs. Lanes alone need
 * neither barriers nor reductions, and share each load of x among eight outputs: for software adapters.
 */
const SHAPES = [
  { lanes: 32, wg: 32, outs: 4, subgroups: false },
  { lanes: 32, wg: 32, outs: 4, subgroups: true },
  { lanes: 1, wg: 8, outs: 8, subgroups: false },
] as const;
const SHARED = { lanes: 1, wg: 8, outs: 8, subgroups: true } as const;

const variants = cross({ format: WEIGHT_FORMATS, bias: [false, true], rows: [1, 4] }).flatMap((form) =>
  LINEAR_TYPES.flatMap((types) =>
    [...SHAPES, ...(isScaled(form.format) ? [SHARED] : [])].map((shape): LinearVariant => ({
      ...types,
      ...form,
      ...shape,
    })),
  ),
);

/**
 * y = multiplier * (x W^T + bias) for 1 to 8 rows.
 *
 * Floor: every byte of w is read once for each `rows` rows of x: outs * cols * (4, 2, 1.0625 or 0.5625 bytes).
 */
export const linear = defineKernel({
  name: 'linear',
  bindings: BIASED,
  bindingsOf: ({ bias }) => (bias ? BIASED : PLAIN),
  params: { rows: 'u32', cols: 'u32', outs: 'u32', scales: 'u32', multiplier: 'f32' },
  variants,
  parts: linearParts,
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: (variant) => linearKey('linear', variant),
  grid: (size: LinearSize, variant) => linearGrid(size, variant),
});

export function linearGrid({ rows, cols, outs }: LinearSize, variant: LinearVariant) {
  assertWholeUnits(variant.format, cols);
  const strips = Math.ceil(outs / ((variant.wg / variant.lanes) * variant.outs));
  return foldGrid(strips * Math.ceil(rows / variant.rows));
}
