/** Asks the visitor before the first prompt leaves the device. */
import { fill, type ChatTexts } from './chat-texts.ts';
import { h, lazyStyleSheet } from './dom.ts';

/** The style of what a chat with another server has beside the usual. */
export const remoteSheet = lazyStyleSheet(`
.consent {
  width: min(28em, calc(100% - 2em)); padding: 1.2em 1.3em 1.3em; border: 1px solid var(--_line); border-radius: var(--_radius);
  color: var(--_text); background: var(--_surface);
}
.consent::backdrop { background: #0008; }
.consent h2 { margin: 0 0 0.4em; font-size: 1.0625em; overflow-wrap: anywhere; }
.consent p { margin: 0 0 0.7em; }
.consent ul { margin: 0 0 0.9em; padding-inline-start: 1.2em; }
.consent form { flex-wrap: wrap; justify-content: end; }
.elsewhere { margin: 0; font-size: 0.8125em; color: var(--_muted); overflow-wrap: anywhere; }
`);

/** Texts in English; `texts.panels` replaces them. `{host}` is the server's. */
const SAY = {
  title: 'Send what you write to {host}?',
  why: 'The replies of this chat come from {host}, not from this device. If you agree, this leaves it:',
  prompt: 'what you write here, from now on',
  before: 'the conversation so far, and the settings of the replies',
  not: 'Nothing is sent before you agree.',
  agree: 'Send to {host}',
  refuse: 'Do not send',
} as const;

/** A modal dialog with two buttons; Escape refuses. */
export class ConsentDialog {
  readonly #host: string;
  readonly #texts: ChatTexts;
  readonly element: HTMLDialogElement;

  constructor(host: string, texts: ChatTexts) {
    this.#host = host;
    this.#texts = texts;
    const title = h('h2', { id: 'consent-title' }, this.#say('title'));
    const list = h('ul', {}, h('li', {}, this.#say('prompt')), h('li', {}, this.#say('before')));
    const why = h(
      'div',
      { id: 'consent-why' },
      h('p', {}, this.#say('why')),
      list,
      h('p', {}, this.#say('not')),
    );
    const button = (value: string, className: string, text: string): HTMLElement =>
      h('button', { value, class: className }, text);
    const form = h(
      'form',
      { method: 'dialog' },
      button('', 'quiet', this.#say('refuse')),
      button('agree', '', this.#say('agree')),
    );
    this.element = h(
      'dialog',
      {
        class: 'consent',
        part: 'consent',
        'aria-labelledby': title.id,
        'aria-describedby': why.id,
      },
      title,
      why,
      form,
    );
  }

  /** @returns whether they agree; false once the signal is aborted */
  async ask(root: ShadowRoot | null, signal: AbortSignal): Promise<boolean> {
    if (!root || signal.aborted) return false;
    root.append(this.element);
    const answer = new Promise<boolean>((resolve) => {
      this.element.addEventListener('close', () => resolve(this.element.returnValue === 'agree'), {
        once: true,
      });
    });
    const end = new Promise<boolean>((resolve) => {
      signal.addEventListener('abort', () => resolve(false), { once: true });
    });
    try {
      this.element.showModal();
      // A key meant for the dialog stops no reply.
      this.element.addEventListener('keydown', (event) => event.stopPropagation());
      return await Promise.race([answer, end]); // a dialog that is removed tells nobody
    } finally {
      this.element.remove();
    }
  }

  #say(name: keyof typeof SAY): string {
    return fill(this.#texts.panels[SAY[name]] ?? SAY[name], { host: this.#host });
  }
}
