/** Paints the picture of the experts on a canvas: a palette of 256 colours and one value per expert, under 2 ms a frame. */
import type { ExpertActivity, ExpertId } from './expert-activity.ts';
import { cellOf, type ExpertLayout, type Panel } from './expert-layout.ts';

/** The colours of the picture, as CSS writes them. */
export interface ExpertColours {
  readonly cold: string; // never used in this text
  readonly used: string; // used much, not now
  readonly lit: string; // lit now
  readonly label: string;
  readonly outline: string;
}

/** What to show: the living picture, or the experts of one word alone. */
export interface ExpertFocus {
  readonly routes?: ReadonlyMap<number, number>; // expert index -> heat
  readonly picked?: ExpertId | undefined;
}

const LEVELS = 256;
/** Part of the palette for what was used before; the rest is for what is lit now. */
const USED_LEVELS = 110;

/** Colours by level, once as pixels (little-endian ABGR) and once as CSS. */
interface Palette {
  readonly pixels: Uint32Array;
  readonly css: readonly string[];
}

/** Draws the activity of experts on a canvas, only what has changed. */
export class ExpertPainter {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  #palette: Palette;
  #colours: ExpertColours;
  #images = new Map<number, { image: ImageData; canvas: HTMLCanvasElement }>(); // one per layer, one pixel per expert

  constructor(canvas: HTMLCanvasElement, colours: ExpertColours) {
    const context = canvas.getContext('2d');
    if (!context) throw new Error('this browser gave no 2d canvas');
    this.#canvas = canvas;
    this.#context = context;
    this.#colours = colours;
    this.#palette = makePalette(colours);
  }

  recolour(colours: ExpertColours): void {
    this.#colours = colours;
    this.#palette = makePalette(colours);
  }

  /** Fits the canvas to the layout at the screen's own density. */
  resize(layout: ExpertLayout): void {
    this.#images.clear();
    this.#canvas.width = Math.round(layout.width * devicePixelRatio);
    this.#canvas.height = Math.round(layout.height * devicePixelRatio);
  }

  paint(layout: ExpertLayout, activity: ExpertActivity, focus: ExpertFocus): void {
    const context = this.#context;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, layout.width, layout.height);
    for (const panel of layout.panels) {
      if (layout.kind === 'bars') this.#paintBars(panel, activity, focus);
      else this.#paintCells(panel, activity, focus);
    }
    context.fillStyle = this.#colours.label;
    context.font = '12px system-ui, sans-serif';
    for (const { text, x, y } of layout.labels) context.fillText(text, x, y);
    if (focus.picked) this.#outline(layout, focus.picked);
  }

  #paintBars(panel: Panel, activity: ExpertActivity, focus: ExpertFocus): void {
    const context = this.#context;
    const base = panel.layer * activity.shape.perLayer;
    const gap = panel.cellWidth > 5 ? 2 : 1;
    for (let expert = 0; expert < activity.shape.perLayer; expert++) {
      const x = panel.x + expert * panel.cellWidth;
      const used = this.#palette.css[usedLevel(activity, base + expert)] ?? '';
      context.fillStyle = used;
      context.fillRect(x, panel.y + panel.cellHeight - 4, panel.cellWidth - gap, 4);
      const heat = heatOf(activity, base + expert, focus);
      if (heat === 0) continue;
      const height = Math.max(4, heat * panel.cellHeight);
      context.fillStyle = this.#palette.css[litLevel(heat)] ?? '';
      context.fillRect(x, panel.y + panel.cellHeight - height, panel.cellWidth - gap, height);
    }
  }

  #paintCells(panel: Panel, activity: ExpertActivity, focus: ExpertFocus): void {
    const { image, canvas } = this.#imageOf(panel);
    const pixels = new Uint32Array(image.data.buffer);
    const base = panel.layer * activity.shape.perLayer;
    for (let expert = 0; expert < activity.shape.perLayer; expert++) {
      const heat = heatOf(activity, base + expert, focus);
      const level = heat > 0 ? litLevel(heat) : usedLevel(activity, base + expert);
      pixels[expert] = this.#palette.pixels[level] ?? 0;
    }
    canvas.getContext('2d')?.putImageData(image, 0, 0);
    this.#context.imageSmoothingEnabled = false;
    const width = panel.columns * panel.cellWidth;
    this.#context.drawImage(canvas, panel.x, panel.y, width, panel.rows * panel.cellHeight);
  }

  #imageOf(panel: Panel): { image: ImageData; canvas: HTMLCanvasElement } {
    let entry = this.#images.get(panel.layer);
    if (!entry) {
      const canvas = document.createElement('canvas');
      canvas.width = panel.columns;
      canvas.height = panel.rows;
      entry = { image: new ImageData(panel.columns, panel.rows), canvas };
      this.#images.set(panel.layer, entry);
    }
    return entry;
  }

  #outline(layout: ExpertLayout, id: ExpertId): void {
    const { x, y, width, height } = cellOf(layout, id);
    this.#context.strokeStyle = this.#colours.outline;
    this.#context.lineWidth = 2;
    this.#context.strokeRect(x - 2, y - 2, width + 4, height + 4);
  }
}

function heatOf(activity: ExpertActivity, index: number, focus: ExpertFocus): number {
  return focus.routes ? (focus.routes.get(index) ?? 0) : (activity.heat[index] ?? 0);
}

function usedLevel(activity: ExpertActivity, index: number): number {
  const use = activity.use[index] ?? 0;
  // The root keeps rarely used experts apart from unused ones.
  return use === 0 ? 0 : 24 + Math.round((USED_LEVELS - 24) * Math.sqrt(use / activity.maxUse));
}

function litLevel(heat: number): number {
  // The root keeps the last token bright until the next one comes, on a slow machine too.
  return USED_LEVELS + Math.round((LEVELS - 1 - USED_LEVELS) * Math.sqrt(Math.min(1, heat)));
}

/** Cold to used in the lower part, used to lit in the upper one. */
function makePalette(colours: ExpertColours): Palette {
  const [cold, used, lit] = [colours.cold, colours.used, colours.lit].map(toRgb);
  const pixels = new Uint32Array(LEVELS);
  const css = Array.from({ length: LEVELS }, (_, level) => {
    const isLow = level < USED_LEVELS;
    const at = isLow ? level / USED_LEVELS : (level - USED_LEVELS) / (LEVELS - 1 - USED_LEVELS);
    const [from, to] = isLow ? [cold, used] : [used, lit];
    const [r = 0, g = 0, b = 0] = [0, 1, 2].map((i) =>
      Math.round((from?.[i] ?? 0) * (1 - at) + (to?.[i] ?? 0) * at),
    );
    pixels[level] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    return `rgb(${r} ${g} ${b})`;
  });
  return { pixels, css };
}

/** Any CSS colour as three bytes; the canvas is the parser. */
function toRgb(colour: string): readonly number[] {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) return [0, 0, 0];
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data.subarray(0, 3)];
}
