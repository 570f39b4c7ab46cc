/** The panel for bug reports. What is in it is looked up when it is opened, and again when a reply has ended. */
import { element } from './notices.ts';
import { reportMarkdown, reportSections, type ReportSection } from './report.ts';
import type { ReportFacts } from './report.ts';

export interface ReportParts {
  readonly host: HTMLElement;
  readonly copy: HTMLButtonElement;
  readonly note: HTMLElement; // what came of the button
}

export class ReportView {
  readonly #parts: ReportParts;
  readonly #readFacts: () => Promise<ReportFacts>;
  #sections: readonly ReportSection[] = [];
  #isOpen = false;
  #asked = 0; // the newest answer counts

  constructor(parts: ReportParts, readFacts: () => Promise<ReportFacts>) {
    this.#parts = parts;
    this.#readFacts = readFacts;
    parts.copy.addEventListener('click', () => void this.#copy());
  }

  /** Whether the panel is seen. */
  set open(isOpen: boolean) {
    this.#isOpen = isOpen;
    this.refresh();
  }

  /** Something may have changed. */
  refresh(): void {
    if (this.#isOpen) void this.#read();
  }

  async #read(): Promise<void> {
    const asked = ++this.#asked;
    const facts = await this.#readFacts();
    if (asked !== this.#asked) return;
    this.#parts.note.textContent = '';
    this.#sections = reportSections(facts);
    this.#parts.host.replaceChildren(...this.#sections.map(sectionElement));
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(reportMarkdown(this.#sections));
      this.#parts.note.textContent = 'Copied.';
    } catch {
      this.#parts.note.textContent = 'This browser did not let the page copy; mark the text and copy it.';
    }
  }
}

function sectionElement({ title, rows }: ReportSection): HTMLElement {
  const list = element(
    'dl',
    'facts',
    ...rows.flatMap(([name, value]) => [element('dt', '', name), element('dd', '', value)]),
  );
  return element('section', '', element('h3', '', title), list);
}
