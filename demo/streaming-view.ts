/** What people see of expert streaming: the slots, the memory slider, and how much has come. */
import type { Engine, ModelInfo, StreamingReport } from '../src/engine/api.ts';
import type { SlotsElement } from '../src/element/index.ts';
import { describeArrival, describeFirstWord } from './arrival.ts';
import { BudgetView, type BudgetParts, type OtherModel } from './budget-view.ts';

export interface StreamingParts extends BudgetParts {
  readonly section: HTMLElement;
  readonly slots: SlotsElement;
  readonly firstWord: HTMLElement;
  readonly arrival: HTMLElement;
}

export class StreamingView {
  readonly #parts: StreamingParts;
  readonly #budget: BudgetView;
  readonly #onReport: (report: StreamingReport | null) => void;
  #engine: Engine | undefined;
  #model: ModelInfo | undefined;
  #awaitsFirstWord = false;

  /** @param onReport hears of everything that may have changed the memory in use */
  constructor(parts: StreamingParts, onReport: (report: StreamingReport | null) => void) {
    this.#parts = parts;
    this.#onReport = onReport;
    this.#budget = new BudgetView(parts, () => parts.slots.refresh());
    parts.slots.addEventListener('slots-report', (event) => this.#hear(event.detail));
  }

  /** A model was loaded, or let go. */
  follow(engine: Engine | undefined, model: ModelInfo | undefined): void {
    if (model === this.#model && engine === this.#engine) return;
    this.#engine = model && engine;
    this.#model = model;
    this.#awaitsFirstWord = model !== undefined;
    this.#parts.firstWord.hidden = this.#parts.arrival.hidden = true;
    this.#parts.section.hidden = !this.#engine || this.#engine.adapter.device === 'reference';
    this.#budget.follow(this.#engine, model?.plan);
    this.#parts.slots.follow(this.#engine);
  }

  /** What to offer where the slider of this model has little room. */
  set other(other: OtherModel | undefined) {
    this.#budget.other = other;
  }

  set talking(isTalking: boolean) {
    if (this.#parts.slots.talking !== isTalking) this.#parts.slots.talking = isTalking;
  }

  /** A token came: the first one says what it took. */
  token(): void {
    if (!this.#awaitsFirstWord) return;
    this.#awaitsFirstWord = false;
    const model = this.#model;
    this.#engine?.streaming().then(
      (report) => {
        if (!model || model !== this.#model) return;
        this.#hear(report ?? null);
        const { firstWord } = this.#parts;
        firstWord.textContent = report ? describeFirstWord(report, model.plan) : '';
        firstWord.hidden = !report || !model.plan.streams;
      },
      () => {}, // the engine is gone, which others say
    );
  }

  #hear(report: StreamingReport | null): void {
    if (report && this.#model) {
      this.#budget.learnUnits(report.unitsPerLayer);
      const line = describeArrival(report, this.#model.plan);
      const { arrival } = this.#parts;
      if (arrival.textContent !== line) arrival.textContent = line;
      arrival.hidden = line === '';
    }
    this.#onReport(report);
  }
}
