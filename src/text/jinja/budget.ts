/**
 * What one rendering may take. A template comes with the model, so it may be written to never end; rendering runs in the
 * thread that calls it, so it has to end by itself. Everything that loops or copies pays here.
 */
import { BudgetError } from './errors.ts';

/**
 * Evaluated nodes and copied items: a second or so. A thousand messages, a quarter of them tool calls, take 1.4 million in
 * gpt-oss's template, which walks all messages for each call.
 */
export const MOST_STEPS = 3_000_000;

/** Letters of the result, and of any text on the way. No model has a context for this many. */
export const MOST_LETTERS = 16 * 1024 * 1024;

/** Letters that one step reads. */
const LETTERS_PER_STEP = 64;

let stepsLeft = MOST_STEPS; // of the rendering at hand: none is ever interrupted by another

/** Runs a rendering under a budget of its own. */
export function withBudget<T>(render: () => T, steps = MOST_STEPS): T {
  const before = stepsLeft;
  stepsLeft = steps;
  try {
    return render();
  } finally {
    stepsLeft = before;
  }
}

/** @throws {BudgetError} */
export function spend(steps = 1): void {
  stepsLeft -= steps;
  if (stepsLeft < 0) throw new BudgetError('it takes more steps than any prompt needs');
}

/** Pays for reading a text from end to end; for a search, `times` is the length of what is sought. */
export function spendLetters(letters: number, times = 1): void {
  spend(Math.ceil((letters / LETTERS_PER_STEP) * (1 + times / 8)));
}

/** Called before a text of this length is made. */
export function allowLetters(letters: number): void {
  if (letters > MOST_LETTERS) throw new BudgetError(`it makes a text of more than ${MOST_LETTERS} letters`);
}
