/** The slider for GPU memory: it works while a reply is written, and a text beside it says what its value means. */
import type { Engine, ModelPlan } from '../src/engine/api.ts';
import {
  describeBudget,
  formatBytes,
  MemoryBudget,
  speakBudget,
  type BudgetState,
} from '../src/element/index.ts';

export interface BudgetParts {
  readonly field: HTMLElement;
  readonly range: HTMLInputElement;
  readonly size: HTMLElement;
  readonly meaning: HTMLElement;
  readonly problem: HTMLElement;
  readonly hint: HTMLElement; // a sentence and a button: another model shows more
}

/** A model whose experts can mostly stay away. */
export interface OtherModel {
  readonly name: string;
  choose(): void;
}

/** Less room than this, as a share of all the memory, makes a slider that shows little. */
const LITTLE_ROOM = 1 / 3;

/** A slider has steps; the last one is exactly everything. */
const STEPS = 100;

export class BudgetView {
  readonly #parts: BudgetParts;
  readonly #onResize: () => void;
  #other: OtherModel | undefined;
  #budget: MemoryBudget | undefined;
  #units: number | undefined;
  #applied: ModelPlan | undefined;

  constructor(parts: BudgetParts, onResize: () => void) {
    this.#parts = parts;
    this.#onResize = onResize;
    parts.range.min = '0';
    parts.range.max = String(STEPS);
    parts.range.addEventListener('input', () => this.#move());
    parts.hint.querySelector('button')?.addEventListener('click', () => this.#other?.choose());
  }

  /** Whether a change is under way. */
  get isChanging(): boolean {
    return this.#budget?.state.isChanging ?? false;
  }

  /** A model was loaded; or there is none, or none whose memory could change. */
  follow(engine: Engine | undefined, plan: ModelPlan | undefined): void {
    this.#budget?.dispose();
    this.#budget = undefined;
    this.#units = undefined;
    const canChange = engine?.adapter.device === 'gpu' && plan !== undefined && plan.experts > 0;
    this.#parts.field.hidden = !canChange;
    if (!canChange) return;
    this.#applied = plan;
    this.#budget = new MemoryBudget({ engine, plan, onChange: (state) => this.#show(state) });
    this.#show(this.#budget.state);
  }

  /** Where the slider has little room, a model that has more is offered. */
  set other(other: OtherModel | undefined) {
    this.#other = other;
    if (this.#budget) this.#showHint(this.#budget.state);
  }

  #showHint({ leastBytes, mostBytes }: BudgetState): void {
    const { hint } = this.#parts;
    hint.hidden = !this.#other || mostBytes - leastBytes >= LITTLE_ROOM * mostBytes;
    if (!this.#other || hint.hidden) return;
    const [sentence, choose] = [hint.querySelector('span'), hint.querySelector('button')];
    const least = formatBytes(leastBytes);
    if (sentence)
      sentence.textContent =
        `This model needs ${least} of its ${formatBytes(mostBytes)} at any time, so the slider does little. ` +
        `${this.#other.name} runs in less than half of its memory.`;
    if (choose) choose.textContent = `Choose ${this.#other.name}`;
  }

  /** How many units a layer has is known once the experts have been seen. */
  learnUnits(units: number): void {
    if (units === this.#units || !this.#budget) return;
    this.#units = units;
    this.#show(this.#budget.state);
  }

  #move(): void {
    const budget = this.#budget;
    if (!budget) return;
    const { leastBytes, mostBytes } = budget.state;
    budget.ask(leastBytes + ((mostBytes - leastBytes) * this.#parts.range.valueAsNumber) / STEPS);
  }

  #show(state: BudgetState): void {
    const { range, size, meaning, problem } = this.#parts;
    const { bytes, leastBytes, mostBytes, plan } = state;
    const room = mostBytes - leastBytes;
    range.disabled = room <= 0;
    range.value = String(room > 0 ? Math.round((STEPS * (bytes - leastBytes)) / room) : STEPS);
    range.setAttribute('aria-valuetext', speakBudget(state));
    size.textContent = `${formatBytes(bytes)} of ${formatBytes(mostBytes)}`;
    meaning.textContent = describeBudget(plan, this.#units);
    const sentence = state.problem?.message ?? '';
    if (problem.textContent !== sentence) problem.textContent = sentence;
    problem.hidden = sentence === '';
    this.#showHint(state);
    if (plan === this.#applied) return;
    this.#applied = plan;
    this.#onResize();
  }
}
