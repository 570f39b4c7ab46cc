/** What is shown in the place of the story while there is none: an invitation, the progress of a load, a problem. */
import type { ModelPlan } from '../src/engine/api.ts';
import {
  describePlan,
  describeProgress,
  formatBytes,
  type ChatState,
  type Problem,
} from '../src/element/index.ts';

/** Makes an element. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

export function button(text: string, onClick: () => void, className = ''): HTMLButtonElement {
  const made = element('button', className, text);
  made.type = 'button';
  made.addEventListener('click', onClick);
  return made;
}

/** Where a model is from: one of this page's, which the browser keeps or not, or the visitor's own. */
export type Origin = 'kept' | 'lost' | 'own';

const KEEPING = {
  kept: 'is downloaded once and kept in this browser: later stories work offline.',
  lost: 'is downloaded for this visit: this browser keeps no files of the page.',
} as const;

/** Before anything is known of a model, where nothing is being looked up. */
export function invitationToTell(hint: string): HTMLElement {
  return element('p', 'invitation', hint || 'Write a beginning below and press the button.');
}

/** While headers are read, which a slow network may make long. */
export function readingNotice(onCancel: () => void): HTMLElement {
  const text = element('p', '', 'Reading what the model needs…');
  return element('div', 'notice', text, button('Cancel', onCancel, 'quiet-button'));
}

/** What pressing the button will do, and a choice where there is one; a model that does not fit says so instead. */
export function invitation(plan: ModelPlan, origin: Origin, choice: HTMLElement | undefined): HTMLElement {
  if (!plan.fits) return element('p', 'invitation', plan.why);
  const size = formatBytes(plan.bytes.download);
  const own = `${describePlan(plan)} Write a beginning below and press the button.`;
  const text = origin === 'own' ? own : `Press “Tell me a story”. The model, ${size}, ${KEEPING[origin]}`;
  return element('div', 'invitation', element('p', '', text), ...(choice ? [choice] : []));
}

/** Bytes of bytes, rate, what is still to come, and a cancel that works. */
export class LoadNotice {
  readonly element: HTMLElement;
  readonly #text = element('p', '');
  readonly #bar = element('progress', '');

  constructor(onCancel: () => void) {
    this.#bar.max = 1;
    this.#bar.setAttribute('aria-label', 'Loading the model');
    this.element = element(
      'div',
      'notice',
      this.#text,
      this.#bar,
      button('Cancel', onCancel, 'quiet-button'),
    );
  }

  show(state: ChatState & { kind: 'loading' }): void {
    const { text, fraction } = describeProgress(state.load);
    if (this.#text.textContent !== text) this.#text.textContent = text;
    if (fraction === undefined) this.#bar.removeAttribute('value');
    else this.#bar.value = fraction;
  }
}

/** A sentence that says what happened and what to do, and the buttons that do it. */
export function problemNotice(
  problem: Problem,
  actions: readonly HTMLButtonElement[],
  more = '',
): HTMLElement {
  const buttons = element('p', 'line', ...actions);
  const body: HTMLElement[] = [
    element('p', '', problem.message),
    ...(more ? [element('p', '', more)] : []),
    buttons,
  ];
  if (problem.detail) {
    const detail = element('p', 'quiet', problem.detail);
    body.push(element('details', '', element('summary', '', 'For developers'), detail));
  }
  const notice = element('div', 'problem', ...body);
  notice.setAttribute('role', 'alert');
  return notice;
}
