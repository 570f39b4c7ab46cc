/** The inside of `<atomoe-chat>`: draws one state, and turns what people do into calls. */
import type { ModelPlan } from '../engine/api.ts';
import { ChatBar, type BarAction, type PanelName } from './chat-bar.ts';
import { ChatLog } from './chat-log.ts';
import { fill, type ChatTexts } from './chat-texts.ts';
import { activeIn, h, isPlainEnter } from './dom.ts';
import type { ChatFeature } from './features.ts';
import { isThinking, type ChatState } from './state.ts';
import type { TurnRequests } from './turn-view.ts';

/** What people ask for. */
export interface ChatRequests extends TurnRequests {
  /** As it is now: what is drawn may be a frame behind, and what was typed must not go to a chat that cannot take it. */
  state(): ChatState;
  send(text: string): void;
  stop(): void;
  load(): void;
  retry(): void;
  bar(action: BarAction): void;
}

/** How a chat looks and what it offers. */
export interface ChatLook {
  readonly placeholder: string;
  readonly isDisabled: boolean;
  readonly texts: ChatTexts;
  readonly features: ReadonlySet<ChatFeature>;
}

/** What is shown in the place of the conversation. */
export interface ChatPanel {
  readonly element: HTMLElement;
  focus(): void;
}

type Notice = {
  readonly text: string;
  readonly action?: 'load' | 'cancel' | 'retry';
  readonly fraction?: number | 'unknown';
};

/** The parts of `<atomoe-chat>`, drawn from the state of a chat store. */
export class ChatView {
  readonly root = document.createDocumentFragment();
  readonly #requests: ChatRequests;
  readonly #log: ChatLog;
  readonly #chatBar: ChatBar;
  readonly #status = h('div', { class: 'unseen', role: 'status' });
  readonly #noticeText = h('p');
  readonly #bar = h('progress', { max: '1' });
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
  readonly #send = h('button', { type: 'submit', part: 'send' });
  readonly #stop = h('button', {
    type: 'button',
    part: 'stop',
    class: 'stop quiet',
    'aria-disabled': 'true',
  });
  readonly #label = h('label', { class: 'unseen', for: 'input' });
  #texts: ChatTexts;
  #panel: ChatPanel | undefined;
  #kind: ChatState['kind'] = 'idle';
  #heardId = -1; // of the newest message that was announced
  #announced = '';
  #isDisabled = false;

  constructor(requests: ChatRequests, texts: ChatTexts) {
    this.#requests = requests;
    this.#texts = texts;
    this.#log = new ChatLog(requests, texts);
    this.#chatBar = new ChatBar((action) => requests.bar(action));
    const field = h('div', { class: 'field' }, this.#label, this.#input);
    const form = h('form', { part: 'composer' }, field, this.#stop, this.#send);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener('keydown', (event) => {
      if (!isPlainEnter(event)) return;
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener('input', () => this.#enable());
    this.#stop.addEventListener('click', () => this.#requests.stop());
    this.#action.addEventListener('click', () => this.#act());
    const slot = (name: string): HTMLSlotElement => h('slot', { name });
    const actions = slot('actions');
    actions.hidden = true; // what it holds is copied to the messages
    actions.addEventListener(
      'slotchange',
      () => (this.#log.own = actions.assignedElements() as HTMLElement[]),
    );
    const { element, newText } = this.#log;
    this.root.append(slot('header'), this.#chatBar.element, element, newText, this.#error, this.#notice);
    this.root.append(form, slot('footer'), actions, this.#status);
  }

  /** Escape stops, from anywhere inside. */
  onKey(event: KeyboardEvent): void {
    if (event.key !== 'Escape' || event.isComposing || event.defaultPrevented) return;
    const { kind } = this.#requests.state();
    if (kind === 'replying' || kind === 'loading') this.#requests.stop();
  }

  focus(options?: FocusOptions): void {
    this.#input.focus(options);
  }

  /** Gives back what was written. @returns false where something else is there by now */
  restore(text: string): boolean {
    if (this.#input.value !== '') return false;
    this.#input.value = text;
    this.#enable();
    return true;
  }

  configure({ placeholder, isDisabled, texts, features }: ChatLook): void {
    this.#texts = texts;
    this.#input.placeholder = placeholder;
    this.#input.disabled = isDisabled;
    this.#isDisabled = isDisabled;
    this.#send.textContent = texts.send;
    this.#stop.textContent = texts.stop;
    this.#label.textContent = texts.message;
    this.#bar.setAttribute('aria-label', texts.loading);
    this.#log.configure(texts, features);
    this.#chatBar.configure(texts, features);
    this.#chatBar.render(this.#requests.state());
    this.#enable();
  }

  /** Shows a panel in the place of the conversation, or the conversation. The focus goes in, and back to its button. */
  showPanel(name: PanelName | undefined, panel?: ChatPanel): void {
    const before = this.#panel;
    const wasInside = before?.element.contains(activeIn(this.#log.element)) ?? false;
    before?.element.remove();
    this.#panel = panel;
    this.#log.element.hidden = panel !== undefined;
    this.#chatBar.mark(name);
    if (panel) {
      this.#log.element.before(panel.element);
      panel.focus();
    } else if (wasInside) this.#input.focus();
  }

  focusBar(action: BarAction): void {
    this.#chatBar.focus(action);
  }

  /** Tells people who hear the page what has happened. */
  say(text: string): void {
    this.#status.textContent = text;
    this.#announced = text;
  }

  render(state: ChatState): void {
    this.#log.render(state);
    this.#chatBar.render(state);
    this.#renderNotice(noticeOf(state, this.#texts));
    const problem = state.kind === 'failed' ? this.#sentenceOf(state) : '';
    if (this.#errorText.textContent !== problem) this.#errorText.textContent = problem;
    this.#error.hidden = problem === '';
    this.#stop.setAttribute('aria-disabled', String(state.kind !== 'replying'));
    this.#announce(state);
    this.#kind = state.kind;
    this.#enable();
  }

  #sentenceOf({ problem }: ChatState & { kind: 'failed' }): string {
    return this.#texts.errors[problem.code] ?? problem.message;
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
    this.#action.textContent = notice.action ? this.#texts[notice.action] : '';
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
    const isBusy = (kind: ChatState['kind']): boolean => kind === 'replying' || kind === 'loading';
    const isNew = (last?.id ?? -1) > this.#heardId; // not another version that somebody chose
    if (!isBusy(this.#kind) && !isBusy(state.kind) && !isNew) return;
    this.#heardId = Math.max(this.#heardId, last?.id ?? -1);
    const finished = last?.role === 'assistant' && last.status !== 'failed' ? last.text : '';
    const { isThinking: thinks, isWriting, isLoading } = this.#texts;
    const text =
      state.kind === 'replying'
        ? last && isThinking(last)
          ? thinks
          : isWriting
        : state.kind === 'loading'
          ? isLoading
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

function licenceIn({ license: licence }: ModelPlan, texts: ChatTexts): string {
  return licence === undefined ? '' : ` ${fill(texts.licence, { licence })}`;
}

function noticeOf(state: ChatState, texts: ChatTexts): Notice | undefined {
  switch (state.kind) {
    case 'planning':
      if (!state.plan) return { text: texts.planning, fraction: 'unknown' };
      return {
        text: texts.plan(state.plan) + licenceIn(state.plan, texts),
        ...(state.plan.fits ? { action: 'load' } : {}),
      };
    case 'loading': {
      const { text, fraction } = texts.progress(state.load);
      return { text, fraction: fraction ?? 'unknown', action: 'cancel' };
    }
    case 'failed':
      return { text: '', action: 'retry' };
    case 'stopped':
      return state.model ? undefined : { text: texts.stopped, action: 'load' };
    case 'idle':
    case 'ready':
    case 'replying':
      return undefined;
  }
}
