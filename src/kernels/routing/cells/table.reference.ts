/** The specification of all cells, by name. */
import { ROUTE_CELLS } from './route-cells.reference.ts';
import { ROW_CELLS } from './row-cells.reference.ts';
import { SEQUENCE_CELLS } from './sequence-cells.reference.ts';
import type { CellName } from './table.ts';
import type { CellReference } from './values.reference.ts';

/** By the names of the cells. */
export const CELL_REFERENCES: Readonly<Record<CellName, CellReference>> = {
  ...ROW_CELLS,
  ...ROUTE_CELLS,
  ...SEQUENCE_CELLS,
};
