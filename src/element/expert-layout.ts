/** Where each expert is in the picture, in CSS pixels. Pure geometry, so that hit tests are tested without a page. */
import type { ExpertId, ExpertShape } from './expert-activity.ts';

/** A rectangle of equal cells that shows `count` experts of one layer, row by row. */
export interface Panel {
  readonly layer: number;
  readonly x: number;
  readonly y: number;
  readonly columns: number;
  readonly rows: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
}

/** Where each expert is drawn, in CSS pixels. */
export interface ExpertLayout {
  readonly kind: 'bars' | 'cells'; // bars rise with the heat, cells glow with it
  readonly width: number;
  readonly height: number;
  readonly panels: readonly Panel[];
  readonly labels: readonly { readonly text: string; readonly x: number; readonly y: number }[];
}

const LABEL_WIDTH = 54; // "layer 47"
const LABEL_HEIGHT = 18;
const GAP = 14;
const EDGE = 3; // room for the outline of a picked expert
/** Above this many experts a row of bars becomes rows of cells. */
const MAX_BARS_PER_LAYER = 64;

/** Lays a model out in `width` pixels: squares for atomic experts, else one row per layer, at most so high. */
export function layoutExperts(shape: ExpertShape, width: number, mostRowHeight = 34): ExpertLayout {
  return shape.grid === undefined
    ? rowLayout(shape, width, mostRowHeight)
    : gridLayout(shape, shape.grid, width);
}

function gridLayout(shape: ExpertShape, grid: number, width: number): ExpertLayout {
  const columns = gridColumns(shape.layers, grid, width);
  const cell = Math.max(1, cellPx(columns, grid, width));
  const side = cell * grid;
  // Spread over the width, but not so far that the squares lose each other.
  const pitchX =
    columns === 1 ? 0 : Math.min(Math.floor((width - side - 2 * EDGE) / (columns - 1)), side + 3 * GAP);
  const pitchY = side + LABEL_HEIGHT + GAP;
  const panels = Array.from({ length: shape.layers }, (_, layer): Panel => {
    const x = EDGE + pitchX * (layer % columns);
    const y = Math.floor(layer / columns) * pitchY + LABEL_HEIGHT;
    return { layer, x, y, columns: grid, rows: grid, cellWidth: cell, cellHeight: cell };
  });
  const labels = panels.map(({ layer, x, y }) => ({ text: `layer ${layer}`, x, y: y - 6 }));
  const rows = Math.ceil(shape.layers / columns);
  return { kind: 'cells', width, height: rows * pitchY - GAP + EDGE, panels, labels };
}

/** As many squares beside each other as keep 3 pixels a cell and fill their rows; on a narrow screen two with 2 pixels. */
function gridColumns(layers: number, grid: number, width: number): number {
  const wide = [4, 3, 2].filter((each) => each <= layers && cellPx(each, grid, width) >= 3);
  const columns = wide.find((each) => layers % each === 0) ?? wide[0];
  return columns ?? (layers > 1 && cellPx(2, grid, width) >= 2 ? 2 : 1);
}

/** Whole pixels, so that all cells look alike. */
function cellPx(columns: number, grid: number, width: number): number {
  return Math.floor((width - 2 * EDGE - GAP * (columns - 1)) / columns / grid);
}

function rowLayout(shape: ExpertShape, width: number, mostRowHeight: number): ExpertLayout {
  const isBars = shape.perLayer <= MAX_BARS_PER_LAYER;
  const columns = isBars ? shape.perLayer : Math.ceil(shape.perLayer / Math.ceil(shape.perLayer / 128));
  const rows = Math.ceil(shape.perLayer / columns);
  const cellWidth = (width - LABEL_WIDTH - EDGE) / columns;
  const rowHeight = clamp(Math.floor(360 / shape.layers), 10, mostRowHeight);
  const cellHeight = rowHeight / rows;
  const pitch = rowHeight + clamp(Math.floor(rowHeight / 3), 2, 10);
  const panels = Array.from({ length: shape.layers }, (_, layer): Panel => ({
    layer,
    x: LABEL_WIDTH,
    y: layer * pitch,
    columns,
    rows,
    cellWidth,
    cellHeight,
  }));
  const labels = panels.map(({ layer, y }) => ({ text: `layer ${layer}`, x: 0, y: y + rowHeight / 2 + 4 }));
  return { kind: isBars ? 'bars' : 'cells', width, height: 2 * EDGE + shape.layers * pitch, panels, labels };
}

/** The expert under a point, if any. */
export function expertAt(
  layout: ExpertLayout,
  shape: ExpertShape,
  x: number,
  y: number,
): ExpertId | undefined {
  for (const panel of layout.panels) {
    const column = Math.floor((x - panel.x) / panel.cellWidth);
    const row = Math.floor((y - panel.y) / panel.cellHeight);
    if (column < 0 || row < 0 || column >= panel.columns || row >= panel.rows) continue;
    const expert = row * panel.columns + column;
    return expert < shape.perLayer ? { layer: panel.layer, expert } : undefined;
  }
  return undefined;
}

/** The rectangle of one expert. */
export function cellOf(
  layout: ExpertLayout,
  id: ExpertId,
): { x: number; y: number; width: number; height: number } {
  const panel = layout.panels[id.layer];
  if (!panel) return { x: 0, y: 0, width: 0, height: 0 };
  return {
    x: panel.x + (id.expert % panel.columns) * panel.cellWidth,
    y: panel.y + Math.floor(id.expert / panel.columns) * panel.cellHeight,
    width: panel.cellWidth,
    height: panel.cellHeight,
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
