/** The picture of the slots in words: for each layer, how many experts are where. Loaded, with what paints it, by the first one. */
import { h } from './dom.ts';
import { formatShare } from './format.ts';
import type { SlotHistory } from './slot-history.ts';

export { paintSlots } from './slot-painter.ts';

const COLUMNS = ['Layer', 'Here', 'On their way', 'Guessed', 'Not here', 'Foreseen'] as const;

/** The slots as a table, for screen readers and the keyboard. */
export class SlotTable {
  readonly element: HTMLDetailsElement;
  readonly #body = h('tbody');

  constructor() {
    const head = h('tr', {}, ...COLUMNS.map((name) => h('th', { scope: 'col' }, name)));
    const table = h('table', {}, h('thead', {}, head), this.#body);
    const scroll = h(
      'div',
      { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Experts by layer' },
      table,
    );
    this.element = h('details', {}, h('summary', {}, 'The same in numbers, per layer'), scroll);
  }

  show(history: SlotHistory): void {
    const { layers = 0, recall = [] } = history.report ?? {};
    while (this.#body.rows.length > layers) this.#body.deleteRow(-1);
    for (let layer = 0; layer < layers; layer++) {
      const { resident, loading, predicted, absent } = history.counts(layer);
      const foreseen = recall[layer] ?? Number.NaN;
      const texts = [resident, loading, predicted, absent, formatShare(foreseen)];
      const row = this.#body.rows[layer] ?? this.#addRow(layer);
      texts.forEach((text, index) => {
        const cell = row.cells[index + 1];
        if (cell && cell.textContent !== String(text)) cell.textContent = String(text);
      });
    }
  }

  #addRow(layer: number): HTMLTableRowElement {
    const cells = COLUMNS.slice(1).map(() => h('td'));
    const row = h('tr', {}, h('th', { scope: 'row' }, String(layer)), ...cells);
    this.#body.append(row);
    return row;
  }
}
