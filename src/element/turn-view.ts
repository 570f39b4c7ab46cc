/** One message on the page, or one story: prompt and continuation. Texts grow by one text node and are never redrawn. */
import type { ChatToolCall } from '../engine/api.ts';
import { fill } from './chat-texts.ts';
import { h } from './dom.ts';
import { isThinking, type Message } from './state.ts';
import { Thoughts } from './thoughts.ts';
import type { TurnEditor } from './turn-editor.ts';
import { TurnTools, type ToolsContext, type TurnAction } from './turn-tools.ts';

/** A text on the page. */
export interface TextBody {
  readonly element: HTMLElement;
  /** @returns whether the page grew */
  show(text: string): boolean;
}

/** Makes bodies that show Markdown. */
export type MakeMarkdown = () => TextBody;

/** What a message on the page asks for. */
export interface TurnRequests {
  act(action: TurnAction, message: Message): void;
  /** A button of the page's own. */
  own?(action: string, message: Message): void;
  edit(message: Message, text: string): void;
  /** Takes a style sheet that was loaded with what needs it. */
  style(sheet: (root: ShadowRoot) => void): void;
}

/** What all messages on the page depend on. */
export interface TurnContext extends ToolsContext {
  readonly makeMarkdown: MakeMarkdown | undefined; // undefined: not asked for, or not loaded yet
}

/** A text as it is. */
class PlainBody implements TextBody {
  readonly #text = new Text();
  readonly element: HTMLElement = h('p', {}, this.#text);

  show(text: string): boolean {
    const added = text.length > this.#text.length;
    if (added) this.#text.appendData(text.slice(this.#text.length));
    else if (text !== this.#text.data) this.#text.data = text;
    return added;
  }
}

/** The inner part of one message: text, thoughts, calls of tools. */
class MessageBody {
  readonly tools: TurnTools;
  readonly text = new Text(); // of a story
  message: Message;
  body: TextBody | undefined; // of a chat
  thoughts: Thoughts | undefined;
  calls: readonly ChatToolCall[] | undefined;

  constructor(message: Message, requests: TurnRequests) {
    this.message = message;
    this.tools = new TurnTools(
      (action) => requests.act(action, this.message),
      (action) => requests.own?.(action, this.message),
    );
  }
}

/** One message of a chat, or a whole story, with its tools. */
export class TurnView {
  readonly #requests: TurnRequests;
  readonly #isStory: boolean;
  readonly #bodies: MessageBody[] = [];
  readonly #content = h('div', { class: 'text' });
  readonly #note = h('p', { class: 'note', hidden: true });
  readonly #article: HTMLElement;
  readonly #tools = h('div', { class: 'all-tools' });
  readonly element: HTMLElement;
  #editor: TurnEditor | undefined;

  constructor(first: Message, { isStory, texts }: TurnContext, requests: TurnRequests) {
    this.#requests = requests;
    this.#isStory = isStory;
    const name = isStory ? texts.story : first.role === 'user' ? texts.you : texts.assistant;
    this.#article = h(
      'article',
      { dir: 'auto', 'aria-label': name, part: `message ${first.role}` },
      isStory ? undefined : h('h4', { 'aria-hidden': 'true' }, name),
      this.#content,
      this.#note,
    );
    if (isStory) this.#content.append(h('p'));
    this.element = h('div', { class: `turn ${first.role}`, part: 'turn' }, this.#article, this.#tools);
  }

  /** Whether these messages are the ones that are shown here, and perhaps more of the same story. */
  shows(messages: readonly Message[]): boolean {
    return this.#bodies.every(({ message }, index) => messages[index]?.id === message.id);
  }

  get messages(): readonly Message[] {
    return this.#bodies.map(({ message }) => message);
  }

  button(action: string): HTMLButtonElement | undefined {
    return this.#bodies.map(({ tools }) => tools.button(action)).find((each) => each?.isConnected);
  }

  get focused(): string | undefined {
    if (this.#editor?.element.matches(':focus-within')) return 'edit';
    return this.#bodies.map(({ tools }) => tools.focused).find(Boolean);
  }

  /** @returns whether the page grew */
  render(messages: readonly Message[], context: TurnContext): boolean {
    let hasGrown = false;
    messages.forEach((message, index) => {
      const body = this.#bodies[index] ?? this.#add(message);
      body.message = message;
      hasGrown = this.#grow(body, context) || hasGrown;
      body.tools.render(message, context);
    });
    const last = messages.at(-1);
    if (!last) return hasGrown;
    this.#article.setAttribute('aria-busy', String(last.status === 'streaming'));
    this.#note.hidden = last.status !== 'stopped';
    this.#note.textContent = last.status === 'stopped' ? context.texts.stopped : '';
    return hasGrown;
  }

  /** Puts a field in the place of the message. */
  edit({ texts }: Pick<TurnContext, 'texts'>, Editor: typeof TurnEditor): void {
    const body = this.#bodies.find(({ message }) => message.role === 'user');
    if (!body || this.#editor) return;
    const close = (): void => {
      this.#editor?.element.remove();
      this.#editor = undefined;
      this.#article.hidden = false;
      this.#tools.hidden = false;
    };
    this.#editor = new Editor(body.message.text, texts, {
      save: (text) => {
        close();
        this.button('edit')?.focus(); // from here the focus goes to the new version
        this.#requests.edit(body.message, text);
      },
      cancel: () => {
        close();
        this.button('edit')?.focus();
      },
    });
    this.#article.hidden = true;
    this.#tools.hidden = true;
    this.element.append(this.#editor.element);
    this.#editor.focus();
  }

  #add(message: Message): MessageBody {
    const body = new MessageBody(message, this.#requests);
    if (this.#isStory) {
      const isPrompt = message.role === 'user';
      const text = isPrompt ? h('span', { class: 'prompt', part: 'prompt' }, body.text) : body.text;
      this.#content.lastElementChild?.append(text);
    }
    this.#bodies.push(body);
    this.#tools.append(body.tools.element);
    return body;
  }

  #grow(body: MessageBody, context: TurnContext): boolean {
    const { message } = body;
    const hasThought = message.thoughts !== '' && this.#think(body, context);
    if (message.toolCalls && body.calls !== message.toolCalls) {
      body.calls = message.toolCalls;
      for (const element of this.#article.querySelectorAll('.call')) element.remove();
      this.#content.after(...message.toolCalls.map((call) => callView(call, context)));
    }
    if (!this.#isStory) return this.#write(body, context) || hasThought;
    const added = message.text.length > body.text.length;
    if (added) body.text.appendData(message.text.slice(body.text.length));
    return added || hasThought;
  }

  #write(body: MessageBody, { makeMarkdown }: TurnContext): boolean {
    const { text, role } = body.message;
    const isMarkdown = role === 'assistant' && makeMarkdown !== undefined;
    if (!body.body || (isMarkdown && body.body instanceof PlainBody)) {
      body.body = isMarkdown ? makeMarkdown() : new PlainBody();
      this.#content.replaceChildren(body.body.element);
    }
    return body.body.show(text);
  }

  #think(body: MessageBody, { texts }: TurnContext): boolean {
    const { thoughts = new Thoughts(texts), message } = body;
    const hasGrown = thoughts.show(message.thoughts, isThinking(message));
    if (body.thoughts) return hasGrown;
    body.thoughts = thoughts;
    this.#content.before(thoughts.element);
    return true;
  }
}

/** A call of a tool: its name, and its arguments folded away. */
function callView(
  { function: { name, arguments: given } }: ChatToolCall,
  { texts }: TurnContext,
): HTMLElement {
  return h(
    'details',
    { class: 'call', part: 'tool-call' },
    h('summary', {}, fill(texts.calls, { name })),
    h('pre', { tabindex: '0', dir: 'ltr' }, h('code', {}, indented(given))),
  );
}

function indented(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), undefined, 2);
  } catch {
    return json; // the model's own words
  }
}
