/** The menu with the models: its panel comes when it is first opened. */
import type { ModelsPanel, ModelsPanelHost } from './models-panel.ts';

export class ModelsMenu {
  readonly #menu: HTMLDetailsElement;
  readonly #host: ModelsPanelHost;
  #panel: Promise<ModelsPanel> | undefined;

  constructor(menu: HTMLDetailsElement, host: ModelsPanelHost) {
    this.#menu = menu;
    this.#host = host;
    menu.addEventListener('toggle', () => this.refresh());
    menu.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !menu.open) return;
      event.stopPropagation(); // elsewhere it stops the story
      this.close();
      menu.querySelector('summary')?.focus();
    });
  }

  close(): void {
    this.#menu.open = false;
  }

  /** Something may have changed in the list. */
  refresh(): void {
    if (!this.#menu.open) return;
    this.#panel ??= import('./models-panel.ts').then(({ ModelsPanel: Panel }) => new Panel(this.#host));
    void this.#panel.then((panel) => panel.refresh());
  }
}
