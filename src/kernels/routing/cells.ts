import source from '../../../shaders/routing/cells.wgsl?raw';
import one from '../../../shaders/lib/cell-sequences-one.wgsl?raw';
import offsets from '../../../shaders/lib/cell-sequences-offsets.wgsl?raw';
import { invariant } from '../../errors.ts';
import type { Bindings, Part } from '../../gpu/program.ts';
import { foldGrid, gridPart } from '../common.ts';
import { defineKernel } from '../kernel.ts';
import { cellActivationParts } from './cells/activation.ts';
import { CELLS, type Cell, type CellName } from './cells/table.ts';
import { declareBindings } from './declare-bindings.ts';

const files: Readonly<Record<string, string>> = import.meta.glob('../../../shaders/lib/cell-*.wgsl', {
  query: '?raw',
  import: 'default',
  eager: true,
});

/** A variant: a function, how tokens are divided into sequences, and the type of the result. */
export interface CellVariant {
  readonly cell: CellName;
  readonly division: 'one' | 'offsets';
  readonly result: 'f32' | 'u32';
  readonly [key: string]: string;
}

/** The problem size, which determines the grid. */
export interface CellSize {
  readonly tokens: number;
  readonly cols: number;
}

const WG = 64;

const PRELUDE = `const WG = ${WG}u;
const LOWEST = -3.0e38;

struct Params {
  tokens: u32,
  cols: u32,
  sequences: u32,
  n0: u32,
  n1: u32,
  n2: u32,
  n3: u32,
  f0: f32,
  f1: f32,
}
`;

/** What a cell reads. */
export function cellOf(name: CellName): Cell {
  return CELLS[name];
}

/** The names of the buffers of numbers of a cell, in order. */
export function inputNames(name: CellName): readonly ('a' | 'b' | 'c' | 'd')[] {
  return (['a', 'b', 'c', 'd'] as const).slice(0, cellOf(name).inputs);
}

function bindingsOf({ cell, division }: CellVariant): Bindings {
  const { ids, sequences } = cellOf(cell);
  return {
    ...Object.fromEntries(inputNames(cell).map((name) => [name, 'read'] as const)),
    ...(ids ? { ids: 'read' as const } : {}),
    ...(sequences && division === 'offsets' ? { offsets: 'read' as const } : {}),
    y: 'write',
  };
}

function partsOf(variant: CellVariant): Part[] {
  const { cell, division, result } = variant;
  const { sequences, activation } = cellOf(cell);
  const file = `cell-${cell}.wgsl`;
  const text = files[`../../../shaders/lib/${file}`];
  invariant(text !== undefined, () => `no shaders/lib/${file}`);
  const typeOf = (name: string) => (name === 'ids' || name === 'offsets' ? 'u32' : 'f32');
  const put = `fn put(at: u32, value: f32) {
  y[at] = ${result === 'u32' ? 'u32(value)' : 'value'};
}`;
  return [
    { name: 'prelude', text: PRELUDE },
    declareBindings(bindingsOf(variant), (name) => (name === 'y' ? result : typeOf(name))),
    gridPart,
    ...(sequences
      ? [{ name: `lib/cell-sequences-${division}.wgsl`, text: division === 'one' ? one : offsets }]
      : []),
    ...(activation ? cellActivationParts : []),
    { name: `lib/${file}`, text },
    { name: 'put', text: put },
    { name: 'routing/cells.wgsl', text: source },
  ];
}

/** Every cell, those that read sequences with both divisions, and one that gives ids. */
function listed(): CellVariant[] {
  const names = Object.keys(CELLS) as CellName[];
  const plain = names.map((cell): CellVariant => ({ cell, division: 'one', result: 'f32' }));
  const divided = names.filter((cell) => cellOf(cell).sequences);
  return [
    ...plain,
    ...divided.map((cell): CellVariant => ({ cell, division: 'offsets', result: 'f32' })),
    { cell: 'map-ids', division: 'one', result: 'u32' },
    { cell: 'alias-ids', division: 'one', result: 'u32' },
  ];
}

/**
 * Computes y[t, i] by a small function of layer descriptions: scores, pooling, positions, combinations.
 *
 * a, b, c, d f32, ids u32, offsets [sequences + 1] u32, as the cell reads them -> y [tokens, cols] f32 or u32
 */
export const cells = defineKernel({
  name: 'cells',
  bindings: { y: 'write' },
  bindingsOf,
  params: {
    tokens: 'u32',
    cols: 'u32',
    sequences: 'u32',
    n0: 'u32',
    n1: 'u32',
    n2: 'u32',
    n3: 'u32',
    f0: 'f32',
    f1: 'f32',
  },
  variants: listed(),
  parts: partsOf,
  overrides: () => ({}),
  key: ({ cell, division, result }) => `cells/${cell}/${division}/${result}`,
  grid: ({ tokens, cols }: CellSize) => foldGrid(Math.ceil((tokens * cols) / WG)),
});
