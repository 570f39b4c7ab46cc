/** `<atomoe-slots>`: which experts are in GPU memory, layer by layer, while they come and go. */
import type { Engine, StreamingReport } from '../engine/api.ts';
import { ElementBase, h, oncePerFrame, upgradeProperties } from './dom.ts';
import { layoutExperts, type ExpertLayout } from './expert-layout.ts';
import { formatBytes } from './format.ts';
import { FADE_MS, isFilling, SlotHistory } from './slot-history.ts';
import { SlotMeter, type SlotNumbers } from './slot-meter.ts';
import type { paintSlots, SlotColours } from './slot-painter.ts';
import { slotSheet } from './slot-style.ts';
import { formatShare } from './format.ts';
import type { SlotTable } from './slot-table.ts';

/** Five looks a second while something happens; one where something should and does not. */
const LOOK_MS = 200;
const PATIENT_LOOK_MS = 1000;
const MOST_ROW_PX = 16;

const LEGEND = [
  ['resident', 'here'],
  ['loading', 'on its way'],
  ['predicted', 'guessed early'],
  ['evicted', 'just left'],
  ['absent', 'not here'],
] as const;

const NUMBERS = [
  'Here when needed',
  'Fetched per token',
  'Waited per token',
  'Guesses used',
  'Guesses wasted',
] as const;

interface Parts {
  readonly canvas: HTMLCanvasElement;
  readonly legend: HTMLElement;
  readonly swatches: Readonly<Record<Exclude<keyof SlotColours, 'label'>, HTMLElement>>;
  readonly readout: HTMLElement;
  readonly numbers: HTMLElement;
  readonly values: readonly HTMLElement[];
}

/**
 * Where the experts of an engine's model are. It asks the engine only while it can be seen, and while the model talks
 * or experts still arrive.
 *
 * @cssprop --atomoe-slot-resident - an expert in GPU memory
 * @cssprop --atomoe-slot-loading - one on its way there
 * @cssprop --atomoe-slot-predicted - one that came on a guess
 * @csspart canvas - the picture
 * @fires slots-report - detail: the `StreamingReport` that was just drawn; null where the model has none
 * @example
 * slots.follow(engine);
 * slots.talking = true; // until the reply has ended
 */
export class SlotsElement extends ElementBase {
  #parts: Parts | undefined;
  #table: SlotTable | undefined; // as soon as it is loaded, and what paints
  #paintSlots: typeof paintSlots | undefined;
  #engine: Engine | undefined;
  #history = new SlotHistory();
  #meter = new SlotMeter();
  #layout: ExpertLayout | undefined;
  #isTalking = false;
  #isSeen = false;
  #isLooking = false;
  #hasMoved = true; // since the look before
  #timer: ReturnType<typeof setTimeout> | undefined;
  #calmTimer: ReturnType<typeof setTimeout> | undefined;
  #lastTableMs = 0;
  #watch: AbortController | undefined;
  #frame = oncePerFrame(() => this.#paint());

  /** Shows the model of this engine, from now on. */
  follow(engine: Engine | undefined): void {
    this.#engine = engine;
    this.#history = new SlotHistory();
    this.#meter = new SlotMeter();
    this.#layout = undefined;
    if (!engine) this.#show(undefined);
    this.refresh();
  }

  /** Whether the model talks. */
  get talking(): boolean {
    return this.#isTalking;
  }

  set talking(isTalking: boolean) {
    if (isTalking && !this.#isTalking) this.#meter.begin();
    this.#isTalking = isTalking;
    this.refresh();
  }

  /** What was drawn last. */
  get report(): StreamingReport | undefined {
    return this.#history.report;
  }

  /** Looks now, if somebody can see it. */
  refresh(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#hasMoved = true;
    if (!this.#isLooking && this.#isSeen && !document.hidden) void this.#look();
  }

  connectedCallback(): void {
    upgradeProperties(this, ['talking']);
    this.#build();
    this.#watch = new AbortController();
    const { signal } = this.#watch;
    const view = this.ownerDocument.defaultView ?? window; // what watches an element must be of its document
    for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) {
      view.matchMedia(query).addEventListener('change', () => this.#frame.request(), { signal });
    }
    document.addEventListener('visibilitychange', () => this.refresh(), { signal });
    const seen = new view.IntersectionObserver((entries) => {
      this.#isSeen = entries.at(-1)?.isIntersecting ?? false;
      if (this.#isSeen) this.refresh();
    });
    // The layout changes the element's own height, which must wait for the next frame or the observer complains.
    const relayout = oncePerFrame(() => this.#relayout());
    const resize = new view.ResizeObserver(() => relayout.request());
    seen.observe(this);
    resize.observe(this);
    signal.addEventListener('abort', () => {
      seen.disconnect();
      resize.disconnect();
      relayout.cancel();
    });
  }

  disconnectedCallback(): void {
    this.#watch?.abort();
    this.#isSeen = false;
    this.#frame.cancel();
    clearTimeout(this.#timer);
    clearTimeout(this.#calmTimer);
  }

  async #look(): Promise<void> {
    const engine = this.#engine;
    if (!engine) return;
    this.#isLooking = true;
    const report = await reportOf(engine);
    this.#isLooking = false;
    if (engine !== this.#engine) return this.refresh();
    this.#show(report);
    const waitMs = this.#nextLookMs(report);
    this.#hasMoved = false;
    if (waitMs === undefined || !this.#isSeen || document.hidden) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#isLooking && this.#isSeen && !document.hidden) void this.#look();
    }, waitMs);
  }

  #nextLookMs(report: StreamingReport | undefined): number | undefined {
    if (!report || report.isComplete) return undefined;
    if (this.#isTalking) return LOOK_MS;
    if (!isFilling(report)) return undefined;
    return this.#hasMoved ? LOOK_MS : PATIENT_LOOK_MS;
  }

  #show(report: StreamingReport | undefined): void {
    const parts = this.#parts;
    if (!parts) return;
    for (const part of [parts.canvas, parts.legend, parts.numbers, this.#table?.element])
      if (part) part.hidden = !report;
    parts.readout.hidden = !report;
    if (report) this.#draw(parts, report);
    this.dispatchEvent(
      new CustomEvent('slots-report', { detail: report ?? null, bubbles: true, composed: true }),
    );
  }

  #draw(parts: Parts, report: StreamingReport): void {
    const nowMs = performance.now();
    this.#hasMoved = this.#history.take(report, nowMs) || this.#hasMoved;
    this.#showNumbers(parts, this.#meter.take(report), report);
    const name = this.#describe(report);
    if (parts.canvas.getAttribute('aria-label') !== name) parts.canvas.setAttribute('aria-label', name);
    if (!this.#isTalking || nowMs - this.#lastTableMs > PATIENT_LOOK_MS) {
      this.#lastTableMs = nowMs;
      this.#table?.show(this.#history);
    }
    if (!this.#layout) this.#relayout();
    this.#frame.request();
  }

  #showNumbers({ numbers, values, readout }: Parts, found: SlotNumbers | undefined, report: StreamingReport) {
    const texts = found
      ? [
          formatShare(found.hitRate),
          formatBytes(found.bytesPerToken),
          `${found.stallMsPerToken.toFixed(found.stallMsPerToken < 9.95 ? 1 : 0)} ms`,
          String(found.guessesUsed),
          String(found.guessesWasted),
        ]
      : [];
    numbers.hidden = !found;
    values.forEach((value, index) => (value.textContent = texts[index] ?? ''));
    readout.textContent = report.isComplete
      ? 'Everything is here: nothing has to be fetched.'
      : found
        ? ''
        : 'Missing experts are fetched when a token needs them.';
    readout.hidden = readout.textContent === '';
  }

  #describe({ layers, unitsPerLayer, slotsPerLayer }: StreamingReport): string {
    const { resident, loading, predicted, absent } = this.#history.total();
    const noun = this.#unitNoun(unitsPerLayer);
    return (
      `Experts in memory: ${layers} layers of ${unitsPerLayer} ${noun}, with ${slotsPerLayer} places each. ` +
      `${resident} are here, ${loading} on their way, ${predicted} guessed, ${absent} not here. ` +
      'The table below says it for each layer.'
    );
  }

  #unitNoun(unitsPerLayer: number): string {
    const experts = this.#engine?.model?.experts.perLayer ?? unitsPerLayer;
    return unitsPerLayer < experts ? `pages of ${experts / unitsPerLayer} experts` : 'experts';
  }

  #build(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
    slotSheet(root); // each time: a document that it moved to has sheets of its own
    if (this.#parts) return;
    const canvas = h('canvas', { part: 'canvas', role: 'img' });
    const swatch = (kind: string): HTMLElement =>
      h('span', { class: `swatch ${kind}`, 'aria-hidden': 'true' });
    const [resident, loading, predicted] = [swatch('resident'), swatch('loading'), swatch('predicted')];
    const swatches = { resident, loading, predicted, evicted: swatch('evicted'), absent: swatch('absent') };
    const items = LEGEND.map(([kind, text]) => h('li', {}, swatches[kind], text));
    const legend = h('ul', { class: 'legend' }, ...items);
    const values = NUMBERS.map(() => h('dd'));
    const numbers = h(
      'dl',
      {},
      ...NUMBERS.map((name, index) => h('div', {}, h('dt', {}, name), values[index])),
    );
    const readout = h('p', { class: 'readout' });
    root.append(canvas, legend, numbers, readout);
    this.#parts = { canvas, legend, swatches, readout, numbers, values };
    void this.#load(root);
    this.#show(undefined);
  }

  async #load(root: ShadowRoot): Promise<void> {
    const { SlotTable: Table, paintSlots: paint } = await import('./slot-table.ts');
    this.#paintSlots = paint;
    this.#frame.request();
    this.#table = new Table();
    this.#table.element.hidden = !this.#history.report;
    this.#table.show(this.#history);
    root.append(this.#table.element);
  }

  #relayout(): void {
    const { report } = this.#history;
    const width = Math.floor(this.clientWidth);
    if (!report || !this.#parts || width === 0) return;
    const { canvas } = this.#parts;
    const shape = { layers: report.layers, perLayer: report.unitsPerLayer };
    this.#layout = layoutExperts(shape, width, MOST_ROW_PX);
    canvas.width = Math.round(this.#layout.width * devicePixelRatio);
    canvas.height = Math.round(this.#layout.height * devicePixelRatio);
    // Through the object model, which a strict style policy allows; a style attribute it would not.
    canvas.style.width = `${this.#layout.width}px`;
    canvas.style.height = `${this.#layout.height}px`;
    this.#frame.request();
  }

  #paint(): void {
    const { isConnected } = this;
    const paint = this.#paintSlots;
    if (!paint || !this.#parts || !this.#layout || !this.#history.report || !isConnected) return;
    const { canvas } = this.#parts;
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const colours = readColours(this.#parts);
    const isFading = paint(canvas, this.#layout, this.#history, colours, performance.now(), isCalm);
    clearTimeout(this.#calmTimer);
    if (isFading && isCalm) this.#calmTimer = setTimeout(() => this.#frame.request(), FADE_MS);
    else if (isFading) this.#frame.request();
  }
}

/** An engine that has no model, or is gone, has nothing to tell. */
async function reportOf(engine: Engine): Promise<StreamingReport | undefined> {
  try {
    return await engine.streaming();
  } catch {
    return undefined;
  }
}

/** The swatches of the legend hold the colours, so that themes and forced colours are the browser's business. */
function readColours({ swatches, legend }: Parts): SlotColours {
  const read = (element: HTMLElement): string => getComputedStyle(element).color;
  return {
    absent: read(swatches.absent),
    resident: read(swatches.resident),
    loading: read(swatches.loading),
    predicted: read(swatches.predicted),
    evicted: read(swatches.evicted),
    label: read(legend),
  };
}
