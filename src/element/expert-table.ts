/** The picture in words: the busiest experts of each layer, each a button that picks it. */
import { h } from './dom.ts';
import type { BusyExpert, ExpertActivity, ExpertId } from './expert-activity.ts';

const EXPERTS_PER_LAYER = 5;

/** The activity of experts as a table, for screen readers and the keyboard. */
export class ExpertTable {
  readonly element: HTMLDetailsElement;
  readonly #body = h('tbody');
  readonly #onPick: (id: ExpertId) => void;
  #picked: ExpertId | undefined;

  constructor(onPick: (id: ExpertId) => void) {
    this.#onPick = onPick;
    const head = h(
      'tr',
      {},
      h('th', { scope: 'col' }, 'Layer'),
      h('th', { scope: 'col' }, 'Experts and their share'),
    );
    const table = h('table', {}, h('thead', {}, head), this.#body);
    const scroll = h('div', { class: 'scroll' }, table);
    this.element = h('details', {}, h('summary', {}, 'Busiest experts per layer'), scroll);
    this.#body.addEventListener('click', (event) => {
      const button = event.target instanceof Element ? event.target.closest('button') : null;
      if (button) this.#onPick(idOf(button));
    });
  }

  /** Fills the rows; a row keeps its buttons, so that the keyboard focus stays where it is. */
  show(activity: ExpertActivity): void {
    const { layers } = activity.shape;
    while (this.#body.rows.length > layers) this.#body.deleteRow(-1);
    for (let layer = 0; layer < layers; layer++) {
      const row = this.#body.rows[layer] ?? this.#addRow(layer);
      const cell = row.cells[1];
      if (cell) this.#fill(cell, activity.busiest(layer, EXPERTS_PER_LAYER));
    }
  }

  /** Marks the picked expert wherever it is listed. */
  mark(picked: ExpertId | undefined): void {
    this.#picked = picked;
    for (const button of this.#body.querySelectorAll('button')) this.#press(button);
  }

  #addRow(layer: number): HTMLTableRowElement {
    const row = h('tr', {}, h('th', { scope: 'row' }, String(layer)), h('td'));
    this.#body.append(row);
    return row;
  }

  #fill(cell: HTMLTableCellElement, experts: readonly BusyExpert[]): void {
    while (cell.children.length > experts.length) cell.lastElementChild?.remove();
    experts.forEach((each, rank) => {
      const button = cell.children[rank] ?? cell.appendChild(h('button', { type: 'button' }));
      if (!(button instanceof HTMLButtonElement)) return;
      button.dataset['layer'] = String(each.layer);
      button.dataset['expert'] = String(each.expert);
      button.textContent = `${each.expert} (${formatShare(each.share)})`;
      this.#press(button);
    });
  }

  #press(button: HTMLButtonElement): void {
    const { layer, expert } = idOf(button);
    const isPicked = layer === this.#picked?.layer && expert === this.#picked.expert;
    button.setAttribute('aria-pressed', String(isPicked));
  }
}

function idOf(button: HTMLButtonElement): ExpertId {
  return { layer: Number(button.dataset['layer']), expert: Number(button.dataset['expert']) };
}

function formatShare(share: number): string {
  const percent = 100 * share;
  return percent < 10 ? `${percent.toFixed(1)} %` : `${Math.round(percent)} %`;
}
