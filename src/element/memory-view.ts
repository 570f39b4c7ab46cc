/** Memory by kind: a bar, and the same in numbers. */
import type { MemoryReport } from '../engine/api.ts';
import { h, lazyStyleSheet } from './dom.ts';
import { formatBytes } from './format.ts';

const NOTHING = 'Nothing loaded yet.';

const KINDS = [
  ['expertsBytes', 'experts', 'experts'],
  ['weightsBytes', 'weights', 'other weights'],
  ['kvCacheBytes', 'cache', 'conversation (KV cache)'],
  ['activationsBytes', 'activations', 'work in progress'],
  ['stagingBytes', 'staging', 'on its way'],
] as const;

const memorySheet = lazyStyleSheet(`
:host { display: block; color-scheme: light dark; }
:host([hidden]), [hidden] { display: none !important; }
.bar { display: flex; height: 0.75rem; gap: 2px; border-radius: 4px; overflow: hidden; background: var(--atomoe-line, light-dark(#e3dacb, #322c24)); }
.bar span { flex-basis: 0; min-width: 2px; forced-color-adjust: none; }
p { margin: 0.5rem 0 0; }
ul {
  display: flex; flex-wrap: wrap; gap: 0 1.1rem; margin: 0.15rem 0 0; padding: 0; list-style: none;
  font-size: 0.8125rem; font-variant-numeric: tabular-nums; color: var(--atomoe-muted, light-dark(#5f594f, #b3aa9b));
}
.key { display: inline-block; width: 0.75em; height: 0.75em; margin-inline-end: 0.5em; border-radius: 2px; forced-color-adjust: none; }
.weights { background: light-dark(#8a6d3b, #b9955a); }
.experts { background: light-dark(#d9541a, #ffb84d); }
.cache { background: light-dark(#3f7f6b, #6fbfa4); }
.activations { background: light-dark(#4c6aa8, #86a6e6); }
.staging { background: light-dark(#8d5a97, #c796d1); }
`);

interface Part {
  readonly kind: (typeof KINDS)[number][0];
  readonly bar: HTMLElement;
  readonly item: HTMLElement;
  readonly bytes: Text;
}

/** The inside of `<atomoe-memory>`. */
export class MemoryView {
  readonly #total = h('p', {}, NOTHING);
  readonly #bar = h('div', { class: 'bar', part: 'bar', 'aria-hidden': 'true', hidden: true });
  readonly #list = h('ul', { hidden: true });
  readonly #parts: readonly Part[];
  #shown = '';

  constructor(root: ShadowRoot) {
    memorySheet(root);
    this.#parts = KINDS.map(([kind, style, name]) => {
      const bytes = new Text();
      const key = h('span', { class: `key ${style}`, 'aria-hidden': 'true' });
      return { kind, bar: h('span', { class: style }), item: h('li', {}, key, `${name} `, bytes), bytes };
    });
    this.#bar.append(...this.#parts.map(({ bar }) => bar));
    this.#list.append(...this.#parts.map(({ item }) => item));
    root.replaceChildren(this.#bar, this.#total, this.#list);
  }

  show(report: MemoryReport | undefined, where: string): void {
    const values = JSON.stringify([report, where]);
    if (values === this.#shown) return;
    this.#shown = values;
    const { totalBytes = 0 } = report ?? {};
    this.#bar.hidden = this.#list.hidden = totalBytes === 0;
    this.#total.textContent = totalBytes === 0 ? NOTHING : `${formatBytes(totalBytes)} of ${where} in use`;
    if (!report) return;
    for (const { kind, bar, item, bytes } of this.#parts) {
      bar.hidden = item.hidden = report[kind] === 0;
      bar.style.flexGrow = String(report[kind]);
      bytes.data = formatBytes(report[kind]);
    }
  }
}
