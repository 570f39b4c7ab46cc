/** GPU memory by kind: a bar, and the same in numbers. */
import type { MemoryReport } from '../src/engine/api.ts';
import { formatBytes } from '../src/element/index.ts';

const NOTHING = 'Nothing loaded yet.';

const KINDS = [
  ['expertsBytes', 'experts', 'experts'],
  ['weightsBytes', 'weights', 'other weights'],
  ['kvCacheBytes', 'cache', 'conversation (KV cache)'],
  ['activationsBytes', 'activations', 'work in progress'],
  ['stagingBytes', 'staging', 'on its way'],
] as const;

interface Part {
  readonly kind: (typeof KINDS)[number][0];
  readonly bar: HTMLElement;
  readonly item: HTMLElement;
  readonly bytes: Text;
}

export class MemoryView {
  readonly #total = document.createElement('p');
  readonly #bar = document.createElement('div');
  readonly #list = document.createElement('ul');
  readonly #parts: readonly Part[];
  #shown = '';

  constructor(host: HTMLElement) {
    this.#total.textContent = NOTHING;
    this.#bar.className = 'bar';
    this.#bar.setAttribute('aria-hidden', 'true');
    this.#bar.hidden = this.#list.hidden = true;
    this.#parts = KINDS.map(([kind, style, name]) => {
      const [bar, key, item] = [span(style), span(`key ${style}`), document.createElement('li')];
      const bytes = new Text();
      item.append(key, `${name} `, bytes);
      return { kind, bar, item, bytes };
    });
    this.#bar.append(...this.#parts.map(({ bar }) => bar));
    this.#list.append(...this.#parts.map(({ item }) => item));
    host.append(this.#bar, this.#total, this.#list);
  }

  /** Nothing of the chosen model is in memory. */
  clear(): void {
    if (this.#shown === '') return;
    this.#shown = '';
    this.#bar.hidden = this.#list.hidden = true;
    this.#total.textContent = NOTHING;
  }

  show(report: MemoryReport, isCpu: boolean): void {
    const values = JSON.stringify(report);
    if (values === this.#shown) return;
    this.#shown = values;
    const isEmpty = report.totalBytes === 0;
    this.#bar.hidden = this.#list.hidden = isEmpty;
    const where = isCpu ? 'main memory' : 'GPU memory';
    this.#total.textContent = isEmpty ? NOTHING : `${formatBytes(report.totalBytes)} of ${where} in use`;
    for (const { kind, bar, item, bytes } of this.#parts) {
      bar.hidden = item.hidden = report[kind] === 0;
      bar.style.flexGrow = String(report[kind]);
      bytes.data = formatBytes(report[kind]);
    }
  }
}

function span(className: string): HTMLElement {
  const made = document.createElement('span');
  made.className = className;
  made.ariaHidden = 'true';
  return made;
}
