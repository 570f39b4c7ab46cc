/** The board beside the story: one panel at a time, chosen by tabs. On a phone it is a sheet that shows its top, or nearly all. */

export interface BoardParts {
  readonly board: HTMLElement;
  readonly tabs: HTMLElement; // role="tablist"
  readonly grip: HTMLButtonElement; // opens and closes the sheet
}

export type BoardTab = 'experts' | 'memory' | 'report';

export class Board {
  readonly #parts: BoardParts;
  readonly #tabs: readonly HTMLElement[];
  readonly #onShow: (tab: BoardTab) => void;

  /** @param onShow hears which panel is seen from now on */
  constructor(parts: BoardParts, onShow: (tab: BoardTab) => void) {
    this.#parts = parts;
    this.#onShow = onShow;
    this.#tabs = [...parts.tabs.querySelectorAll<HTMLElement>('[role=tab]')];
    parts.tabs.addEventListener('click', (event) => this.#click(event));
    parts.tabs.addEventListener('keydown', (event) => this.#walk(event));
    parts.grip.addEventListener('click', () => this.#open(!this.#isOpen));
    parts.board.addEventListener('keydown', (event) => {
      const isSheet = parts.grip.offsetWidth > 0;
      if (event.key !== 'Escape' || !this.#isOpen || !isSheet) return;
      event.stopPropagation(); // elsewhere it stops the story
      this.#open(false);
      parts.grip.focus();
    });
  }

  get #isOpen(): boolean {
    return this.#parts.board.classList.contains('open');
  }

  #open(isOpen: boolean): void {
    const { board, grip } = this.#parts;
    board.classList.toggle('open', isOpen);
    grip.setAttribute('aria-expanded', String(isOpen));
  }

  #click({ target }: MouseEvent): void {
    const tab = target instanceof Element ? target.closest<HTMLElement>('[role=tab]') : null;
    if (!tab) return;
    this.#select(tab);
    this.#open(true); // where the board is no sheet, this changes nothing that is seen
  }

  /** As the practices for tabs have it: arrows select, the ends are round, Home and End go to them. */
  #walk(event: KeyboardEvent): void {
    const at = this.#tabs.findIndex((tab) => tab.ariaSelected === 'true');
    const last = this.#tabs.length - 1;
    const next = {
      ArrowRight: at === last ? 0 : at + 1,
      ArrowLeft: at === 0 ? last : at - 1,
      Home: 0,
      End: last,
    }[event.key];
    const tab = next === undefined ? undefined : this.#tabs[next];
    if (!tab || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.#select(tab);
    tab.focus();
  }

  #select(chosen: HTMLElement): void {
    for (const tab of this.#tabs) {
      const isChosen = tab === chosen;
      tab.ariaSelected = String(isChosen);
      tab.tabIndex = isChosen ? 0 : -1;
      const panel = document.getElementById(tab.getAttribute('aria-controls') ?? '');
      if (panel) panel.hidden = !isChosen;
    }
    this.#onShow(chosen.dataset['tab'] as BoardTab);
  }
}
