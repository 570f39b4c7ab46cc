/** `<atomoe-experts>`: the picture of the experts at work, with a readout, a legend and a table that says it in words. */
import type { TokenRoutes } from '../engine/api.ts';
import { ElementBase, h, oncePerFrame } from './dom.ts';
import { ExpertActivity, type ExpertId, type ExpertShape } from './expert-activity.ts';
import { expertAt, layoutExperts, type ExpertLayout } from './expert-layout.ts';
import { ExpertPainter, type ExpertColours } from './expert-painter.ts';
import { expertSheet } from './expert-style.ts';
import type { ExpertTable } from './expert-table.ts';
import type { Piece } from './words.ts';

/** Detail of `experts-pick`: an expert was chosen, or (`undefined`) let go. */
export interface ExpertPick extends ExpertId {
  readonly words: readonly number[]; // numbers of the words that it helped to make
}

/** The table follows the text this often while tokens come. */
const TABLE_EVERY_MS = 1000;
/** With reduced motion nothing fades; the picture is renewed this often. */
const CALM_EVERY_MS = 500;

/**
 * The experts of a model, lit as the tokens pass.
 *
 * @cssprop --atomoe-expert-cold - an expert that this text has not used
 * @cssprop --atomoe-expert-used - an expert that it has used
 * @cssprop --atomoe-expert-lit - an expert at work now
 * @csspart canvas - the picture
 * @fires experts-pick - detail: `ExpertPick`, or null when the expert was let go
 * @example
 * experts.reset(engine.model.experts);
 * for await (const event of session.generate(prompt, { routes: true }))
 *   if (event.kind === 'token') experts.addToken(event.text, event.routes);
 */
export class ExpertsElement extends ElementBase {
  #activity: ExpertActivity | undefined;
  #layout: ExpertLayout | undefined;
  #painter: ExpertPainter | undefined;
  #canvas: HTMLCanvasElement | undefined;
  #readout: HTMLElement | undefined;
  #colours: Record<keyof ExpertColours, HTMLElement> | undefined;
  #table: ExpertTable | undefined;
  #word: number | undefined; // hovered word: only its experts are shown
  #picked: ExpertId | undefined;
  #expertsPerToken = 0;
  #lastFrameMs = 0;
  #lastTableMs = 0;
  #watch: AbortController | undefined;
  #frame = oncePerFrame((timeMs) => this.#paint(timeMs));
  /** How long the last frame took to paint. */
  paintMs = 0;

  get activity(): ExpertActivity | undefined {
    return this.#activity;
  }

  connectedCallback(): void {
    this.#build();
    this.#watch = new AbortController();
    const { signal } = this.#watch;
    const view = this.ownerDocument.defaultView ?? window; // what watches an element must be of its document
    for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) {
      view.matchMedia(query).addEventListener('change', () => this.#recolour(), { signal });
    }
    // The layout changes the element's own height, which must wait for the next frame or the observer complains.
    const relayout = oncePerFrame(() => this.#relayout());
    const resize = new view.ResizeObserver(() => relayout.request());
    resize.observe(this);
    signal.addEventListener('abort', () => {
      resize.disconnect();
      relayout.cancel();
    });
    this.#relayout();
  }

  disconnectedCallback(): void {
    this.#watch?.abort();
    this.#frame.cancel();
  }

  /** Begins a new text, by default on the same model. */
  reset(
    shape: ExpertShape | undefined = this.#activity?.shape,
    expertsPerToken = this.#expertsPerToken,
  ): void {
    if (!shape) return;
    this.#expertsPerToken = expertsPerToken;
    this.#activity = new ExpertActivity(shape);
    this.#word = undefined;
    this.pick(undefined);
    this.settle();
    this.#relayout();
  }

  /** Takes one token; returns the pieces of text that it adds, for a view that shows the words. */
  addToken(text: string, routes: TokenRoutes | undefined): Piece[] {
    const pieces = this.#activity?.addToken(text, routes) ?? [];
    this.#frame.request();
    return pieces;
  }

  /** Shows the experts of one word, or everything again. */
  showWord(word: number | undefined): void {
    if (this.#word === word) return;
    this.#word = word;
    this.#describe();
    this.#frame.request();
  }

  /** Chooses an expert: its words are named here and sent to the view that shows the text. */
  pick(id: ExpertId | undefined): void {
    if (!id && !this.#picked) return this.#describe();
    this.#picked = id;
    this.#describe();
    this.#table?.mark(id);
    this.#frame.request();
    const detail: ExpertPick | null = id ? { ...id, words: this.#activity?.wordsOf(id) ?? [] } : null;
    this.dispatchEvent(new CustomEvent('experts-pick', { detail, bubbles: true, composed: true }));
  }

  /** Brings the table up to date, at the end of a text. */
  settle(): void {
    if (this.#activity) this.#table?.show(this.#activity);
  }

  #build(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
    expertSheet(root); // each time: a document that it moved to has sheets of its own
    if (this.#canvas) return;
    const swatch = (name: string): HTMLElement =>
      h('span', { class: `swatch ${name}`, 'aria-hidden': 'true' });
    const [cold, used, lit] = [swatch('cold'), swatch('used'), swatch('lit')];
    const outline = h('span', { class: 'outline', 'aria-hidden': 'true' });
    const canvas = h('canvas', { part: 'canvas', role: 'img', hidden: true });
    const readout = h('p', { class: 'readout' });
    const legend = h(
      'ul',
      { class: 'legend' },
      h('li', {}, cold, 'not used yet'),
      h('li', {}, used, 'used in this text'),
      h('li', {}, lit, 'at work now'),
      outline,
    );
    root.append(canvas, legend, readout);
    void this.#addTable(root);
    this.#canvas = canvas;
    this.#readout = readout;
    this.#colours = { cold, used, lit, outline, label: legend };
    this.#painter = new ExpertPainter(canvas, this.#readColours());
    canvas.addEventListener('pointermove', (event) => this.#describe(this.#expertUnder(event)));
    canvas.addEventListener('pointerleave', () => this.#describe());
    canvas.addEventListener('click', (event) => {
      const id = this.#expertUnder(event);
      this.pick(id && this.#isPicked(id) ? undefined : id);
    });
    this.settle();
    this.#describe();
  }

  /** Loaded beside the picture, and below it. */
  async #addTable(root: ShadowRoot): Promise<void> {
    const { ExpertTable: Table } = await import('./expert-table.ts');
    this.#table = new Table((id) => this.pick(this.#isPicked(id) ? undefined : id));
    root.append(this.#table.element);
    this.settle();
    this.#table.mark(this.#picked);
  }

  #relayout(): void {
    const width = Math.floor(this.clientWidth);
    if (!this.#canvas || !this.#painter || !this.#activity || width === 0) return;
    const { shape } = this.#activity;
    this.#layout = layoutExperts(shape, width);
    this.#painter.resize(this.#layout);
    // Through the object model, which a strict style policy allows; a style attribute it would not.
    this.#canvas.style.width = `${this.#layout.width}px`;
    this.#canvas.style.height = `${this.#layout.height}px`;
    const perToken = this.#expertsPerToken ? `; ${this.#expertsPerToken} of them make each token` : '';
    const name = `Experts at work: ${shape.layers} layers of ${shape.perLayer} experts${perToken}. The table below says which are busiest.`;
    this.#canvas.setAttribute('aria-label', name);
    this.#canvas.hidden = false; // there is nothing to see, or to name, before a model is known
    this.#frame.request();
  }

  #recolour(): void {
    this.#painter?.recolour(this.#readColours());
    this.#frame.request();
  }

  /** The swatches of the legend hold the colours, so that themes and forced colours are the browser's business. */
  #readColours(): ExpertColours {
    const read = (name: keyof ExpertColours, property: 'backgroundColor' | 'color'): string =>
      this.#colours ? getComputedStyle(this.#colours[name])[property] : '';
    return {
      cold: read('cold', 'backgroundColor'),
      used: read('used', 'backgroundColor'),
      lit: read('lit', 'backgroundColor'),
      outline: read('outline', 'backgroundColor'),
      label: read('label', 'color'),
    };
  }

  #paint(timeMs: number): void {
    const { isConnected } = this;
    if (!this.#activity || !this.#layout || !this.#painter || !isConnected) return;
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const sinceMs = timeMs - this.#lastFrameMs;
    if (isCalm && sinceMs < CALM_EVERY_MS && this.#word === undefined) return this.#frame.request();
    // After a pause the first frame must not cool what was lit a moment ago by the whole pause.
    const isLit = this.#activity.cool(isCalm ? 0 : Math.min(sinceMs, 50));
    this.#lastFrameMs = timeMs;
    const startMs = performance.now();
    this.#painter.paint(this.#layout, this.#activity, {
      ...(this.#word === undefined ? {} : { routes: this.#activity.routesOf(this.#word) }),
      picked: this.#picked,
    });
    this.paintMs = performance.now() - startMs;
    if (timeMs - this.#lastTableMs > TABLE_EVERY_MS && this.#table?.element.open) {
      this.#lastTableMs = timeMs;
      this.settle();
    }
    if (isLit && !isCalm) this.#frame.request();
  }

  #expertUnder(event: MouseEvent): ExpertId | undefined {
    if (!this.#layout || !this.#activity || !this.#canvas) return undefined;
    const box = this.#canvas.getBoundingClientRect();
    const scale = this.#layout.width / box.width; // the page may be zoomed or the canvas squeezed
    const x = (event.clientX - box.left) * scale;
    return expertAt(this.#layout, this.#activity.shape, x, (event.clientY - box.top) * scale);
  }

  #isPicked(id: ExpertId): boolean {
    return id.layer === this.#picked?.layer && id.expert === this.#picked.expert;
  }

  /** One sentence under the picture, on the most particular thing at hand. */
  #describe(hovered?: ExpertId): void {
    if (!this.#readout) return;
    const id = hovered ?? this.#picked;
    this.#readout.textContent = this.#activity
      ? id
        ? describeExpert(this.#activity, id)
        : describeWord(this.#activity, this.#word)
      : '';
  }
}

function describeExpert(activity: ExpertActivity, id: ExpertId): string {
  const { grid } = activity.shape;
  const place = grid ? ` (row ${Math.floor(id.expert / grid)}, column ${id.expert % grid})` : '';
  const liked = activity.likedWords(id, 8).map(({ text, count }) => (count > 1 ? `${text} ×${count}` : text));
  const words = liked.length > 0 ? `is used most for: ${liked.join(', ')}` : 'has not been used in this text';
  return `Layer ${id.layer}, expert ${id.expert}${place} ${words}`;
}

function describeWord(activity: ExpertActivity, word: number | undefined): string {
  if (word === undefined)
    return 'Point at a word to see the experts that made it; click an expert to see the words it is used for most.';
  const layers = new Set(
    [...activity.routesOf(word).keys()].map((index) => Math.floor(index / activity.shape.perLayer)),
  );
  const { size } = activity.routesOf(word);
  if (size === 0) return `“${activity.words[word] ?? ''}” is part of the prompt.`;
  return `“${activity.words[word] ?? ''}” was made by ${size} experts in ${layers.size} layers.`;
}
