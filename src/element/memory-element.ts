/** `<atomoe-memory>`: what a model takes of the memory, by kind. What draws it is loaded when it is first on a page. */
import type { MemoryReport } from '../engine/api.ts';
import { ElementBase, upgradeProperties } from './dom.ts';
import type { MemoryView } from './memory-view.ts';

/**
 * Memory by kind: a bar, and the same in numbers.
 *
 * @csspart bar - the bar, which numbers repeat
 * @example
 * memory.report = engine.memory();
 */
export class MemoryElement extends ElementBase {
  #view: MemoryView | undefined;
  #report: MemoryReport | undefined;
  #where = '';

  /** What is in memory; undefined: nothing. Set it again when it has changed. */
  get report(): MemoryReport | undefined {
    return this.#report;
  }

  set report(report: MemoryReport | undefined) {
    this.#report = report;
    this.#draw();
  }

  /** Which memory it is, in words; by default `memory`. */
  get where(): string {
    return this.#where;
  }

  set where(text: string | null | undefined) {
    this.#where = text ?? '';
    this.#draw();
  }

  connectedCallback(): void {
    upgradeProperties(this, ['report', 'where']);
    void import('./memory-view.ts').then(({ MemoryView }) => {
      const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
      this.#view ??= new MemoryView(root);
      this.#draw();
    });
  }

  #draw(): void {
    this.#view?.show(this.#report, this.#where || 'memory');
  }
}
