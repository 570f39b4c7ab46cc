/** The inside of `<atomoe-chat>`: draws one state, and turns what people do into calls. */
import type { ModelPlan } from '../engine/api.ts';
import { ChatLog } from './chat-log.ts';
import { h } from './dom.ts';
import { describePlan, describeProgress } from './format.ts';
import { isThinking, type ChatState } from './state.ts';

/** What people ask for. */
export interface ChatRequests {
  /** As it is now: what is drawn may be a frame behind, and what was typed must not go to a chat that cannot take it. */
  state(): ChatState;
  send(text: string): void;
  stop(): void;
  load(): void;
  retry(): void;
}

type Notice = {
  readonly text: string;
  readonly action?: keyof typeof ACTIONS;
  readonly fraction?: number | 'unknown';
};

const ACTIONS = { load: 'Load the model', cancel: 'Cancel', retry: 'Try again' } as const;

/** The parts of `<atomoe-chat>`, drawn from the state of a chat store. */
export class ChatView {
  readonly root = document.createDocumentFragment();
  readonly #requests: ChatRequests;
  readonly #log = new ChatLog();
  readonly #status = h('div', { class: 'unseen', role: 'status' });
  readonly #noticeText = h('p');
  readonly #bar = h('progress', { max: '1', 'aria-label': 'Loading' });
  readonly #action = h('button', { type: 'button', part: 'action' });
  readonly #notice = h(
    'div',
    { class: 'notice', part: 'notice', hidden: true },
    this.#noticeText,
    this.#bar,
    this.#action,
  );
  readonly #errorText = h('p');
  readonly #error = h('div', { class: 'error', part: 'error', role: 'alert', hidden: true }, this.#errorText);
  readonly #input = h('textarea', { id: 'input', part: 'input', rows: '1', autocomplete: 'off' });
  readonly #send = h('button', { type: 'submit', part: 'send' }, 'Send');
  readonly #stop = h(
    'button',
    { type: 'button', part: 'stop', class: 'stop quiet', 'aria-disabled': 'true' },
    'Stop',
  );
  #announced = '';
  #isDisabled = false;

  constructor(requests: ChatRequests) {
    this.#requests = requests;
    const label = h('label', { class: 'unseen', for: 'input' }, 'Message');
    const form = h(
      'form',
      { part: 'composer' },
      h('div', { class: 'field' }, label, this.#input),
      this.#stop,
      this.#send,
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener('keydown', (event) => {
      // While an input method composes, Enter chooses a candidate; 229 is how older WebKit says so.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener('input', () => this.#enable());
    this.#stop.addEventListener('click', () => this.#requests.stop());
    this.#action.addEventListener('click', () => this.#act());
    const slot = (name: string): HTMLElement => h('slot', { name });
    const { element, newText } = this.#log;
    this.root.append(
      slot('header'),
      element,
      newText,
      this.#error,
      this.#notice,
      form,
      slot('footer'),
      this.#status,
    );
  }

  /** Escape stops, from anywhere inside. */
  onKey(event: KeyboardEvent): void {
    if (event.key !== 'Escape' || event.isComposing) return;
    const { kind } = this.#requests.state();
    if (kind === 'replying' || kind === 'loading') this.#requests.stop();
  }

  focus(options?: FocusOptions): void {
    this.#input.focus(options);
  }

  configure(placeholder: string, isDisabled: boolean): void {
    this.#input.placeholder = placeholder;
    this.#input.disabled = isDisabled;
    this.#isDisabled = isDisabled;
    this.#enable();
  }

  render(state: ChatState): void {
    this.#log.render(state);
    this.#renderNotice(noticeOf(state));
    const problem = state.kind === 'failed' ? state.problem.message : '';
    if (this.#errorText.textContent !== problem) this.#errorText.textContent = problem;
    this.#error.hidden = problem === '';
    this.#stop.setAttribute('aria-disabled', String(state.kind !== 'replying'));
    this.#announce(state);
    this.#enable();
  }

  #renderNotice(notice: Notice | undefined): void {
    const hadFocus = this.#notice.contains(activeIn(this.#notice));
    this.#notice.hidden = !notice;
    if (!notice) {
      if (hadFocus) this.#input.focus(); // the button that had it is gone; better here than nowhere
      return;
    }
    this.#noticeText.textContent = notice.text;
    this.#bar.hidden = notice.fraction === undefined;
    if (notice.fraction === 'unknown') this.#bar.removeAttribute('value');
    else if (notice.fraction !== undefined) this.#bar.value = notice.fraction;
    this.#action.hidden = !notice.action;
    this.#action.textContent = notice.action ? ACTIONS[notice.action] : '';
    this.#action.dataset['action'] = notice.action ?? '';
  }

  #act(): void {
    const action = this.#action.dataset['action'] as Notice['action'] | '';
    if (action === 'load') this.#requests.load();
    if (action === 'cancel') this.#requests.stop();
    if (action === 'retry') this.#requests.retry();
  }

  /** Once when thoughts begin, once when a reply does, and once with all of the reply when it ends: never per token. */
  #announce(state: ChatState): void {
    const last = state.messages.at(-1);
    const finished = last?.role === 'assistant' && last.status !== 'failed' ? last.text : '';
    const text =
      state.kind === 'replying'
        ? last && isThinking(last)
          ? 'Thinking about a reply'
          : 'Writing a reply'
        : state.kind === 'loading'
          ? 'Loading the model'
          : finished;
    if (text === this.#announced) return;
    this.#announced = text;
    this.#status.textContent = text;
  }

  #submit(): void {
    this.#enable();
    if (this.#send.disabled) return;
    const text = this.#input.value;
    this.#input.value = '';
    this.#requests.send(text);
    this.#enable();
  }

  #enable(): void {
    const { kind, model } = this.#requests.state();
    const canReply = (kind !== 'idle' || model) && kind !== 'replying' && kind !== 'loading';
    const wasFocused = activeIn(this.#send) === this.#send;
    this.#send.disabled = this.#isDisabled || !canReply || this.#input.value.trim() === '';
    if (wasFocused && this.#send.disabled) this.#input.focus(); // a disabled button drops the focus
  }
}

function licenseIn({ license }: ModelPlan): string {
  return license === undefined ? '' : ` Licence: ${license}.`;
}

function noticeOf(state: ChatState): Notice | undefined {
  switch (state.kind) {
    case 'planning':
      if (!state.plan) return { text: 'Reading what the model needs…', fraction: 'unknown' };
      return {
        text: describePlan(state.plan) + licenseIn(state.plan),
        ...(state.plan.fits ? { action: 'load' } : {}),
      };
    case 'loading': {
      const { text, fraction } = describeProgress(state.progress, state.bytesPerSecond);
      return { text, fraction: fraction ?? 'unknown', action: 'cancel' };
    }
    case 'failed':
      return { text: '', action: 'retry' };
    case 'stopped':
      return state.model ? undefined : { text: 'Stopped.', action: 'load' };
    case 'idle':
    case 'ready':
    case 'replying':
      return undefined;
  }
}

function activeIn(node: Node): Element | null {
  const root = node.getRootNode();
  return root instanceof ShadowRoot || root instanceof Document ? root.activeElement : null;
}
