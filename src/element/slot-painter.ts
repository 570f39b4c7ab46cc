/** Paints where the experts are: each state has a shape of its own, so that colours need not be distinguished. */
import { SLOT_STATES } from '../engine/api.ts';
import type { ExpertLayout, Panel } from './expert-layout.ts';
import type { SlotHistory } from './slot-history.ts';

/** The colours of the picture, as CSS writes them. */
export interface SlotColours {
  readonly absent: string;
  readonly resident: string;
  readonly loading: string;
  readonly predicted: string;
  readonly evicted: string;
  readonly label: string;
}

/** Smaller cells show their state by colour alone: the table has the rest. */
const SMALLEST_SHAPE_PX = 4;

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Paints the picture; returns whether something still fades. */
export function paintSlots(
  canvas: HTMLCanvasElement,
  layout: ExpertLayout,
  history: SlotHistory,
  colours: SlotColours,
  nowMs: number,
  isCalm: boolean,
): boolean {
  const context = canvas.getContext('2d');
  if (!context) return false;
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  context.clearRect(0, 0, layout.width, layout.height);
  context.fillStyle = colours.label;
  context.font = '12px system-ui, sans-serif';
  for (const { text, x, y } of layout.labels) context.fillText(text, x, y);
  let isFading = false;
  for (const panel of layout.panels) {
    isFading = paintLayer(context, panel, history, colours, nowMs, isCalm) || isFading;
  }
  return isFading;
}

function paintLayer(
  context: CanvasRenderingContext2D,
  panel: Panel,
  history: SlotHistory,
  colours: SlotColours,
  nowMs: number,
  isCalm: boolean,
): boolean {
  const { unitsPerLayer = 0, states } = history.report ?? {};
  let isFading = false;
  for (let unit = 0; unit < unitsPerLayer; unit++) {
    const index = panel.layer * unitsPerLayer + unit;
    const box = boxOf(panel, unit);
    context.fillStyle = colours.absent;
    context.fillRect(box.x, box.y, box.width, box.height);
    const fading = history.fading(index, nowMs);
    if (fading > 0) paintEvicted(context, box, colours, isCalm ? 1 : fading);
    isFading ||= fading > 0;
    paintState(context, box, states?.[index] ?? SLOT_STATES.absent, colours);
  }
  return isFading;
}

function boxOf(panel: Panel, unit: number): Box {
  const gapX = panel.cellWidth > 3 ? 1 : 0;
  const gapY = panel.cellHeight > 3 && panel.rows > 1 ? 1 : 0;
  return {
    x: panel.x + (unit % panel.columns) * panel.cellWidth,
    y: panel.y + Math.floor(unit / panel.columns) * panel.cellHeight,
    width: panel.cellWidth - gapX,
    height: panel.cellHeight - gapY,
  };
}

/** Here: all of the cell. On its way: the lower half. Guessed: a frame. */
function paintState(context: CanvasRenderingContext2D, box: Box, state: number, colours: SlotColours): void {
  const { x, y, width, height } = box;
  const isTiny = Math.min(width, height) < SMALLEST_SHAPE_PX;
  switch (state) {
    case SLOT_STATES.resident:
      context.fillStyle = colours.resident;
      return context.fillRect(x, y, width, height);
    case SLOT_STATES.loading:
      context.fillStyle = colours.loading;
      return isTiny
        ? context.fillRect(x, y, width, height)
        : context.fillRect(x, y + height / 2, width, height / 2);
    case SLOT_STATES.predicted:
      context.fillStyle = context.strokeStyle = colours.predicted;
      context.lineWidth = 1.5;
      return isTiny
        ? context.fillRect(x, y, width, height)
        : context.strokeRect(x + 0.75, y + 0.75, width - 1.5, height - 1.5);
  }
}

/** A band across the middle. */
function paintEvicted(
  context: CanvasRenderingContext2D,
  { x, y, width, height }: Box,
  colours: SlotColours,
  opacity: number,
): void {
  context.globalAlpha = opacity;
  context.fillStyle = colours.evicted;
  context.fillRect(x, y + height * 0.38, width, Math.max(1, height * 0.24));
  context.globalAlpha = 1;
}
