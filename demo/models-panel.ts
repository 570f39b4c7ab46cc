/**
 * The models that may be chosen, as a list: family, size, what each needs to hold and to stream, what of it is kept, licence;
 * and buttons that choose, unload and delete one. Loaded when it is first opened.
 */
import { guessBudgetBytes, machineFacts } from '../src/engine/load/auto-memory.ts';
import { formatBytes, formatPart } from '../src/element/index.ts';
import type { ListedModel } from './model-list.ts';
import { button, element } from './notices.ts';
import { suggestModel, type ModelFacts } from './sources.ts';
import { readKept, type StoredModel } from './storage.ts';

export interface ModelsPanelHost {
  readonly list: HTMLElement;
  readonly suggestion: HTMLElement;
  models(): readonly ListedModel[];
  chosen(): string;
  /** The model that is in memory. */
  loaded(): string | undefined;
  choose(value: string): void;
  unload(): void;
  delete(key: string, name: string): Promise<void>;
}

export class ModelsPanel {
  readonly #host: ModelsPanelHost;
  #kept: readonly StoredModel[] = [];

  constructor(host: ModelsPanelHost) {
    this.#host = host;
  }

  /** Draws the list, and once more when it is known what is kept. */
  async refresh(): Promise<void> {
    this.#draw();
    this.#kept = await readKept().then(
      ({ models }) => models,
      () => [],
    );
    this.#draw();
  }

  #draw(): void {
    const { list, suggestion } = this.#host;
    const models = this.#host.models();
    const budgetBytes = guessBudgetBytes(machineFacts());
    const suggested = suggestModel(models, budgetBytes);
    suggestion.textContent = suggested
      ? `A model may take about ${formatBytes(budgetBytes)} here. ${suggested.name} is the largest of these that fits${
          (suggested.facts?.holdBytes ?? 0) > budgetBytes
            ? ' when its experts are fetched as they are needed'
            : ''
        }.`
      : '';
    const focused = list.contains(document.activeElement) ? document.activeElement?.id : undefined;
    list.replaceChildren(...models.map((model, index) => this.#row(model, index, model === suggested)));
    if (focused) (document.getElementById(focused) ?? list.querySelector('button'))?.focus();
  }

  #row(model: ListedModel, index: number, isSuggested: boolean): HTMLElement {
    const { value, name, facts } = model;
    const kept = this.#kept.find(({ label }) => label === model.address);
    const isLoaded = this.#host.loaded() === value;
    const head = element('strong', '', name);
    const marks = [
      ...(isLoaded ? ['in memory'] : []),
      ...(isSuggested ? ['suggested'] : []),
      ...(facts ? [facts.family] : []),
    ];
    const lines = [describeFacts(facts), describeKept(kept)].filter(Boolean).join(' ');
    const text = element(
      'div',
      '',
      head,
      element('span', 'quiet', ` ${marks.join(' · ')}`),
      element('p', 'quiet', lines),
    );
    const act = (id: string, label: string, does: () => void): HTMLElement => {
      const made = button(label, does, 'small quiet-button');
      made.id = `${id}-${index}`;
      made.setAttribute('aria-label', `${label} ${name}`);
      return made;
    };
    const buttons = [
      isLoaded
        ? act('model-act', 'Unload', () => {
            this.#host.unload();
            this.#draw();
          })
        : act('model-act', 'Choose', () => this.#host.choose(value)),
      ...(kept ? [act('model-delete', 'Delete', () => void this.#delete(kept.key, name))] : []),
    ];
    const row = element('li', '', text, element('div', 'model-buttons', ...buttons));
    if (this.#host.chosen() === value) row.setAttribute('aria-current', 'true');
    return row;
  }

  async #delete(key: string, name: string): Promise<void> {
    await this.#host.delete(key, name);
    await this.refresh();
  }
}

function describeFacts(facts: ModelFacts | undefined): string {
  if (!facts) return 'What it takes is looked up when it is chosen.';
  const { downloadBytes, holdBytes, leastBytes, licence } = facts;
  const needs = `${formatBytes(downloadBytes)} to download; ${formatBytes(holdBytes)} of memory to hold all of it`;
  const least = leastBytes < holdBytes ? `, ${formatBytes(leastBytes)} to stream it` : '';
  return `${needs}${least}.${licence ? ` Licence: ${licence}.` : ''}`;
}

function describeKept(kept: StoredModel | undefined): string {
  if (!kept) return '';
  const { storedBytes, totalBytes, isComplete } = kept;
  return isComplete ? 'Kept on this device.' : `${formatPart(storedBytes, totalBytes)} kept on this device.`;
}
