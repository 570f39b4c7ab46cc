import type { Bindings, Part } from '../../gpu/program.ts';
import matrix from '../../../shaders/lib/expert-matrix.wgsl?raw';
import strip from '../../../shaders/lib/expert-strip.wgsl?raw';
import { constants, gridPart, scalarPrelude, type Scalar } from '../common.ts';
import { dotParts, listFormats, renderFor, stepParts, weightsParts } from '../weights.ts';
import { hardwarePart, softwarePart } from '../forms/parts.ts';
import { reduce4Part } from './expert-parts.ts';
import { poolParts, type PoolCount } from './expert-pool.ts';
import { cross } from '../kernel.ts';
import type { FormatName } from '../../weights/formats/index.ts';
import { EXACT } from '../../weights/matrix.ts';

/** A variant of the kernels for the chosen experts of few tokens. */
export type GluVariant = {
  readonly scalar: Scalar;
  readonly format: FormatName;
  readonly pools: PoolCount;
  readonly form: 'lane' | 'subgroup' | 'workgroup'; // reduction over a workgroup's lanes; none for `lane`
  readonly subgroups: boolean;
  readonly wg: number;
  readonly biased: boolean; // whether records have biases
};

/** 32 lanes along a row read whole cache lines, for GPUs. Independent lanes are for software adapters: no barriers. */
const SHAPES = [
  { form: 'subgroup', subgroups: true, wg: 32 },
  { form: 'workgroup', subgroups: false, wg: 32 },
  { form: 'lane', subgroups: false, wg: 4 },
] as const;

/** Outputs of each of the two strips of an independent lane. */
export const LANE_OUTS = 8;

/** All variants for some scalars and pools. A form gives the same bits for any number of pools. */
export function gluVariants(scalars: readonly Scalar[], pools: readonly PoolCount[]): GluVariant[] {
  const given = cross({ scalar: scalars, pools, biased: [false] });
  return withBiases(
    listFormats(
      SHAPES.map((shape) =>
        given
          .filter((one) => shape.form !== 'lane' || isForSoftware(one))
          .map((one) => ({ ...one, ...shape })),
      ),
    ),
  );
}

/** The same forms with biases, of which the reading does not depend on the format. */
function withBiases<V extends { readonly format: FormatName; readonly biased: boolean }>(
  variants: readonly V[],
): V[] {
  const exact = variants.filter(({ format }) => format === EXACT);
  return [...variants, ...exact.map((variant) => ({ ...variant, biased: true }))];
}

/** Whether a variant exists for software adapters: these have no f16, and use one pool. */
export function isForSoftware({ scalar, pools }: { scalar: Scalar; pools: PoolCount }): boolean {
  return scalar === 'f32' && pools === 1;
}

/** The pipeline key of a variant. */
export function gluKey(name: string, { scalar, format, pools, form, wg, biased }: GluVariant): string {
  return `${name}/${scalar}/${format}/pools${pools}/${form}${wg}${biased ? '/biased' : ''}`;
}

/** The parts common to all expert kernels, given a kernel's own bindings. */
function commonParts(
  variant: { scalar: Scalar; format: FormatName; pools: PoolCount; form: string; subgroups: boolean },
  own: Bindings,
): Part[] {
  return [
    scalarPrelude(variant.scalar, variant.subgroups),
    gridPart,
    ...weightsParts(variant.format, variant.form === 'lane'),
    ...poolParts(own, variant.pools),
    renderFor(variant.format, lib('expert-matrix', matrix)),
  ];
}

/** The parts of a variant for few tokens. */
export function gluParts(variant: GluVariant, own: Bindings): Part[] {
  const { form, format } = variant;
  if (form === 'lane') return [...commonParts(variant, own), ...laneParts(format, 1, LANE_OUTS)];
  return [
    ...commonParts(variant, own),
    ...dotParts(format),
    reduce4Part(form),
    renderFor(format, hardwarePart('lib/expert-rows')),
  ];
}

/** A variant of the tiled kernels, which compute tiles of pairs of one expert. */
export type GluTileVariant = {
  readonly scalar: Scalar;
  readonly format: FormatName;
  readonly pools: PoolCount;
  readonly form: 'lane' | 'staged';
  readonly subgroups: false;
  readonly tileRows: number; // rows per tile of sparse-dispatch
  readonly outs: number; // outputs of each of the two strips
  readonly wg: number;
  readonly biased: boolean;
};

const TILES = [
  { form: 'staged', subgroups: false, tileRows: 32, outs: 32, wg: 64 },
  { form: 'lane', subgroups: false, tileRows: 8, outs: 32, wg: 4 },
] as const;

/** The tiled variants: every format with each form. */
export function gluTileVariants(scalars: readonly Scalar[]): GluTileVariant[] {
  const given = cross({ scalar: scalars, pools: [1, 4], biased: [false] });
  return withBiases(
    listFormats(
      TILES.map((tile) =>
        given
          .filter((one) => tile.form === 'staged' || isForSoftware(one))
          .map((one) => ({ ...one, ...tile })),
      ),
    ),
  );
}

/** The pipeline key of a tiled variant. */
export function gluTileKey(name: string, variant: GluTileVariant): string {
  const { scalar, format, pools, form, tileRows, outs, biased } = variant;
  return `${name}/${scalar}/${format}/pools${pools}/${form}${tileRows}x${outs}${biased ? '/biased' : ''}`;
}

/** The library parts that a tiled variant is linked with. */
export function gluTileParts(variant: GluTileVariant, own: Bindings): Part[] {
  const { form, format, tileRows, outs } = variant;
  const tile =
    form === 'lane'
      ? laneParts(format, tileRows, outs)
      : [lib('expert-strip', strip), hardwarePart('lib/expert-staged')];
  return [...commonParts(variant, own), ...tile];
}

/** Number of workgroups along y for outputs in strips, for an indirect dispatch. */
export function stripGroups({ form, wg }: GluTileVariant, outputs: number, perStrip: number): number {
  const strips = Math.ceil(outputs / perStrip);
  return form === 'lane' ? Math.ceil(strips / wg) : strips;
}

function laneParts(format: FormatName, tileRows: number, outs: number): Part[] {
  return [
    constants({ OUTS: outs }),
    softwarePart(tileRows === 1 ? 'lib/tile-rows-1' : 'lib/tile-rows-8'),
    ...stepParts(format),
    lib('expert-strip', strip),
    renderFor(format, softwarePart('lib/expert-lane')),
  ];
}

const lib = (name: string, text: string): Part => ({ name: `lib/${name}.wgsl`, text });
