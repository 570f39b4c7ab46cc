/** The files of a model of the hub: their sizes, what each takes, the licence, and a choice. */
import type { ModelPlan } from '../src/engine/api.ts';
import { hubChoices, memoryNeeds, type HubChoice, type HubModel } from '../src/engine/hub.ts';
import { formatBytes } from '../src/element/index.ts';
import { element } from './notices.ts';

interface Row {
  readonly choice: HubChoice;
  readonly input: HTMLInputElement;
  readonly download: HTMLElement;
  readonly whole: HTMLElement;
  readonly streamed: HTMLElement;
}

/** One model's table. It keeps its place in the page while what is said above it changes, and so does the focus in it. */
export class HubPicker {
  /** As the hub says. */
  readonly licence: string | undefined;
  readonly #head: HTMLElement;
  readonly #table: HTMLElement;
  readonly #rows: readonly Row[];
  #notice: HTMLElement | undefined;

  /** @param onChoose - is given the address of the chosen file */
  constructor(model: HubModel, onChoose: (source: string) => void) {
    this.licence = model.license;
    const page = element('a', '', model.repo);
    page.href = `https://huggingface.co/${model.repo}`;
    const licence = element('strong', '', model.license ?? 'not stated');
    this.#head = element('p', 'hub-head', page, ' on the Hugging Face hub. Licence: ', licence, '.');
    this.#rows = hubChoices(model).map((choice, index) => rowOf(choice, index, onChoose));
    const legend = element('legend', '', 'Which file to load');
    this.#table = element('fieldset', 'choice hub-choice', legend, tableOf(this.#rows));
  }

  /** The address of the file that is chosen: at first the proposed one; undefined: there is nothing to load. */
  get source(): string | undefined {
    return this.#chosen?.choice.source;
  }

  get #chosen(): Row | undefined {
    return this.#rows.find(({ input }) => input.checked);
  }

  /** Shows the table in a place of the page, and above it what loading will do, or a problem. */
  show(place: HTMLElement, notice: HTMLElement): void {
    const isThere = this.#notice !== undefined && this.#table.parentElement === place;
    if (isThere) this.#notice?.replaceWith(notice);
    else place.replaceChildren(this.#head, notice, this.#table);
    this.#notice = notice;
  }

  /** What the files take in memory: exactly for the chosen one, whose plan it is, and about for the others. */
  tell(plan: ModelPlan): void {
    for (const { choice, input, whole, streamed } of this.#rows) {
      const needs = memoryNeeds(plan, input.checked ? undefined : choice);
      const about = input.checked ? '' : '≈ ';
      whole.textContent = about + formatBytes(needs.whole);
      streamed.textContent = about + formatBytes(needs.streamed);
    }
  }
}

function rowOf(choice: HubChoice, index: number, onChoose: (source: string) => void): Row {
  const cellOf = (column: string, text: string) => {
    const cell = element('td', '', text);
    cell.id = `hub-file-${index}-${column}`;
    return cell;
  };
  const input = element('input', '');
  const download = cellOf('download', formatBytes(choice.sizeBytes));
  const [whole, streamed] = [cellOf('whole', '…'), cellOf('streamed', '…')];
  input.type = 'radio';
  input.name = 'hub-file';
  input.checked = choice.isProposed;
  const described = [download, whole, streamed].flatMap(({ id }, column) => [headId(column + 1), id]);
  input.setAttribute('aria-describedby', described.join(' '));
  input.addEventListener('change', () => onChoose(choice.source));
  return { choice, input, download, whole, streamed };
}

function headId(column: number): string {
  return `hub-files-${column}`;
}

function tableOf(rows: readonly Row[]): HTMLElement {
  const heads = ['File', 'Download', 'Memory for all of it', 'Memory to stream it'].map((text, column) => {
    const cell = element('th', '', text);
    cell.id = headId(column);
    cell.scope = 'col';
    return cell;
  });
  const lines = rows.map(({ choice: { name, isProposed }, input, download, whole, streamed }) => {
    const text = element('span', '', element('strong', '', name));
    if (isProposed) text.append(' recommended');
    const head = element('th', '', element('label', '', input, text));
    head.scope = 'row';
    return element('tr', '', head, download, whole, streamed);
  });
  const body = [element('thead', '', element('tr', '', ...heads)), element('tbody', '', ...lines)];
  return element('table', 'hub-files', ...body);
}
