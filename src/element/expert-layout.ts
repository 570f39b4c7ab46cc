/** Where each expert lies in the picture, in CSS pixels. Pure geometry, so that hit tests are tested without a page. */
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
/** Above this many experts a row of bars becomes rows of cells. */
const MAX_BARS_PER_LAYER = 64;

/** Lays a model out in `width` pixels: squares for atomic experts, else one row per layer. */
export function layoutExperts(shape: ExpertShape, width: number): ExpertLayout {
  return shape.grid === undefined ? rowLayout(shape, width) : gridLayout(shape, shape.grid, width);
}

function gridLayout(shape: ExpertShape, grid: number, width: number): ExpertLayout {
  // Squares beside each other while their cells keep 3 pixels; a lone layer may be large.
  const columns = Math.max(1, Math.min(shape.layers, 4, Math.floor((width + GAP) / (3 * grid + GAP))));
  const cell = Math.max(1, Math.floor((width - GAP * (columns - 1)) / columns / grid));
  const pitchX = (width - cell * grid) / Math.max(1, columns - 1);
  const pitchY = cell * grid + LABEL_HEIGHT + GAP;
  const rows = Math.ceil(shape.layers / columns);
  const panels = Array.from({ length: shape.layers }, (_, layer): Panel => {
    const x = columns === 1 ? 0 : Math.floor(Math.min(pitchX, cell * grid + 3 * GAP) * (layer % columns));
    const y = Math.floor(layer / columns) * pitchY + LABEL_HEIGHT;
    return { layer, x, y, columns: grid, rows: grid, cellWidth: cell, cellHeight: cell };
  });
  const labels = panels.map(({ layer, x, y }) => ({ text: `layer ${layer}`, x, y: y - 6 }));
  return { kind: 'cells', width, height: rows * pitchY - GAP, panels, labels };
}

function rowLayout(shape: ExpertShape, width: number): ExpertLayout {
  const isBars = shape.perLayer <= MAX_BARS_PER_LAYER;
  const columns = isBars ? shape.perLayer : Math.ceil(shape.perLayer / Math.ceil(shape.perLayer / 128));
  const rows = Math.ceil(shape.perLayer / columns);
  const cellWidth = (width - LABEL_WIDTH) / columns;
  const rowHeight = clamp(Math.floor(360 / shape.layers), 10, 34);
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
  return { kind: isBars ? 'bars' : 'cells', width, height: shape.layers * pitch, panels, labels };
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
