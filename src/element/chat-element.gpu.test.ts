/** The elements in a real browser, on a scripted engine. */
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { ChatElement } from './chat-element.ts';
import type { ExpertPick, ExpertsElement } from './expert-view.ts';
import { FakeEngine, type FakeScript } from './fake-engine.ts';

const STORY = 'Once upon a time, a fox sang.';

beforeAll(async () => {
  // Set before the element is defined: the property must survive the upgrade.
  const early = document.createElement('atomoe-chat');
  Object.assign(early, { generateOptions: { seed: 3 }, placeholder: 'Early', disabled: true });
  document.body.append(early);
  await import('./define.ts');
  expect(early).toBeInstanceOf(ChatElement);
  expect(Object.hasOwn(early, 'generateOptions')).toBe(false);
  expect((early as ChatElement).generateOptions).toEqual({ seed: 3 });
  expect(early.outerHTML).toBe('<atomoe-chat placeholder="Early" disabled=""></atomoe-chat>');
  expect(early.shadowRoot!.querySelector('textarea')!.placeholder).toBe('Early');
  early.remove();
});

afterEach(() => document.body.replaceChildren());

async function chatWith(script: FakeScript = {}) {
  const engine = new FakeEngine(script);
  await engine.load('m/');
  const chat = document.createElement('atomoe-chat');
  chat.engine = engine;
  document.body.append(chat);
  const root = chat.shadowRoot!;
  const input = root.querySelector('textarea')!;
  const type = (text: string, key: KeyboardEventInit = { key: 'Enter' }): void => {
    input.value = text;
    input.dispatchEvent(new Event('input'));
    input.dispatchEvent(
      new KeyboardEvent('keydown', { bubbles: true, composed: true, cancelable: true, ...key }),
    );
  };
  const articles = (): string[] =>
    [...root.querySelectorAll('article p:not(.note)')].map((each) => each.textContent);
  const button = (name: string): HTMLButtonElement =>
    [...root.querySelectorAll('button')].find((each) => each.textContent === name)!;
  return { chat, engine, root, input, type, articles, button };
}

/** Holds every token until it is let through. */
function tokenGate() {
  const waiting: (() => void)[] = [];
  return {
    beforeToken: (_: number, signal: AbortSignal | undefined): Promise<void> =>
      new Promise((resolve) => {
        waiting.push(resolve);
        signal?.addEventListener('abort', () => resolve());
      }),
    next: async (): Promise<void> => {
      await vi.waitFor(() => expect(waiting.length).toBeGreaterThan(0));
      waiting.shift()?.();
    },
  };
}

describe('<atomoe-chat>', () => {
  test('a story is one article: prompt and continuation, each in one text node', async () => {
    const { chat, type, articles, root } = await chatWith();
    const done = vi.fn();
    chat.addEventListener('chat-done', (event) => done(event.detail.text));
    type('Hello');
    await vi.waitFor(() => expect(articles()).toEqual([`Hello${STORY}`]));
    expect(root.querySelector('article p')!.childNodes).toHaveLength(2);
    expect(done).toHaveBeenCalledWith(STORY);
  });

  test('a model with a template talks in turns', async () => {
    const { type, articles, root } = await chatWith({ hasChatTemplate: true });
    type('Hello');
    await vi.waitFor(() => expect(articles()).toEqual(['Hello', STORY]));
    const names = [...root.querySelectorAll('article')].map((each) => each.getAttribute('aria-label'));
    expect(names).toEqual(['You', 'Assistant']);
  });

  test('thoughts are folded away above the answer, and say when they go on', async () => {
    const gate = tokenGate();
    const thoughts = ['A fox?', '\nYes.'];
    const script = { hasChatTemplate: true, thoughts, words: ['A', ' fox.'], ...gate };
    const { chat, type, root, articles } = await chatWith(script);
    const done = vi.fn();
    chat.addEventListener('chat-done', (event) => done(event.detail.text, event.detail.reasoning));
    const status = root.querySelector('[role=status]')!;
    type('What sang?');
    await gate.next();
    await vi.waitFor(() => expect(root.querySelector('summary')?.textContent).toBe('Thinking…'));
    const details = root.querySelector('details')!;
    expect(status.textContent).toBe('Thinking about a reply');
    expect(details.open).toBe(false);
    expect(details.part.value).toBe('thoughts');
    const top = () => [...root.querySelectorAll('article')].at(-1)!.getBoundingClientRect();
    const { height } = top();
    await gate.next();
    await vi.waitFor(() => expect(details.querySelector('div')!.textContent).toBe('A fox?\nYes.'));
    expect(top().height).toBe(height); // nothing moves while it thinks
    await gate.next();
    await vi.waitFor(() => expect(details.textContent).toMatch(/^Thoughts/));
    expect(status.textContent).toBe('Writing a reply');
    await gate.next();
    await vi.waitFor(() => expect(articles()).toEqual(['What sang?', 'A fox.']));
    expect(details.nextElementSibling?.textContent).toBe('A fox.');
    expect(done).toHaveBeenCalledExactlyOnceWith('A fox.', 'A fox?\nYes.');
    await vi.waitFor(() => expect(status.textContent).toBe('A fox.'));
  });

  test('a model that does not think has no fold', async () => {
    const { type, root, articles } = await chatWith({ hasChatTemplate: true });
    type('Hello');
    await vi.waitFor(() => expect(articles()).toEqual(['Hello', STORY]));
    expect(root.querySelector('details')).toBeNull();
  });

  test('Shift+Enter and Enter while composing send nothing', async () => {
    const { engine, type, input } = await chatWith();
    type('one', { key: 'Enter', shiftKey: true });
    type('two', { key: 'Enter', isComposing: true });
    expect(engine.prompts).toEqual([]);
    expect(input.value).toBe('two');
    type('three');
    await vi.waitFor(() => expect(engine.prompts).toEqual(['three']));
    expect(input.value).toBe('');
  });

  test('Escape stops; what was said stays', async () => {
    const gate = tokenGate();
    const { chat, type, articles, input } = await chatWith(gate);
    type('Hello');
    await gate.next();
    await vi.waitFor(() => expect(articles()).toEqual(['HelloOnce']));
    input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, composed: true }));
    await vi.waitFor(() => expect(chat.state.kind).toBe('stopped'));
    expect(articles()).toEqual(['HelloOnce']);
  });

  test('the focus stays in the field, and appearing steals none', async () => {
    const { chat, input, type, root } = await chatWith();
    expect(document.activeElement).not.toBe(chat);
    chat.focus();
    expect(root.activeElement).toBe(input);
    type('Hello');
    await vi.waitFor(() => expect(chat.state.kind).toBe('ready'));
    expect(root.activeElement).toBe(input);
  });

  test('the page may take a message for itself', async () => {
    const { chat, engine, type } = await chatWith();
    chat.addEventListener('chat-send', (event) => event.preventDefault());
    type('mine');
    await new Promise(requestAnimationFrame);
    expect(engine.prompts).toEqual([]);
    expect(chat.messages).toEqual([]);
  });

  test('a move in mid-reply keeps the chat and the reply, a removal stops it', async () => {
    const gate = tokenGate();
    const { chat, type, articles } = await chatWith(gate);
    type('Hello');
    await gate.next();
    const other = document.body.appendChild(document.createElement('section'));
    other.append(chat);
    await gate.next();
    await vi.waitFor(() => expect(articles()).toEqual(['HelloOnce upon']));
    expect(chat.state.kind).toBe('replying');
    chat.remove();
    await vi.waitFor(() => expect(chat.state.kind).toBe('stopped'));
    document.body.append(chat);
    expect(articles()).toEqual(['HelloOnce upon']);
  });

  test('it follows the text at the end, and offers a way there from above', async () => {
    const words = Array.from({ length: 400 }, (_, index) => ` word${index}`);
    const { type, root, chat } = await chatWith({ words, beforeToken: () => Promise.resolve() });
    const log = root.querySelector<HTMLElement>('[role=log]')!;
    const newText = root.querySelector<HTMLElement>('[part=new-text]')!;
    type('Hello');
    await vi.waitFor(() => expect(chat.state.kind).toBe('ready'));
    await vi.waitFor(() => expect(log.scrollTop).toBeGreaterThan(0));
    expect(log.scrollHeight - log.scrollTop - log.clientHeight).toBeLessThan(24);
    log.scrollTop = 0;
    await new Promise((resolve) => log.addEventListener('scroll', resolve, { once: true }));
    type('Again');
    await vi.waitFor(() => expect(newText.hidden).toBe(false));
    expect(log.scrollTop).toBe(0);
    newText.click();
    expect(log.scrollHeight - log.scrollTop - log.clientHeight).toBeLessThan(24);
  });

  test('a plan says what it takes; loading is one button; failing is an alert with a retry', async () => {
    const problem = new AtomoeError('network', 'the server is gone; try again');
    const script = { loadError: problem, plan: { license: 'apache-2.0' } };
    ChatElement.openEngine = async () => new FakeEngine(script);
    const chat = document.createElement('atomoe-chat');
    const errors = vi.fn();
    chat.addEventListener('chat-error', (event) => errors(event.detail));
    chat.model = 'https://models.test/fable/';
    document.body.append(chat);
    const root = chat.shadowRoot!;
    const action = root.querySelector<HTMLButtonElement>('[part=action]')!;
    await vi.waitFor(() => expect(action.textContent).toBe('Load the model'));
    expect(root.querySelector('[part=notice]')!.textContent).toContain(
      'Loading downloads 17 MB and needs 17 MB of memory. Licence: apache-2.0.',
    );
    action.click();
    await vi.waitFor(() => expect(root.querySelector('[role=alert]')!.textContent).toBe(problem.message));
    expect(errors).toHaveBeenCalledExactlyOnceWith({
      code: 'network',
      message: problem.message,
      detail: '',
    });
    expect(action.textContent).toBe('Try again');
    Reflect.deleteProperty(script, 'loadError');
    action.click();
    await vi.waitFor(() => expect(chat.state.kind).toBe('ready'));
    await vi.waitFor(() => expect(root.querySelector<HTMLElement>('[role=alert]')!.hidden).toBe(true));
  });

  test('what is sent before a load was drawn stays in the field', async () => {
    ChatElement.openEngine = async () => new FakeEngine({});
    const chat = document.createElement('atomoe-chat');
    const sent = vi.fn();
    chat.addEventListener('chat-send', (event) => sent(event.detail.text));
    chat.model = 'https://models.test/fable/';
    document.body.append(chat);
    const root = chat.shadowRoot!;
    const input = root.querySelector('textarea')!;
    await vi.waitFor(() => expect(chat.state.kind).toBe('planning'));
    await vi.waitFor(() => expect(root.querySelector('[part=action]')!.textContent).toBe('Load the model'));
    void chat.load();
    expect(chat.state.kind).toBe('loading');
    input.value = 'Hello';
    input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
    expect([input.value, sent.mock.calls.length]).toEqual(['Hello', 0]);
    await vi.waitFor(() =>
      expect(root.querySelector<HTMLButtonElement>('[part=send]')!.disabled).toBe(false),
    );
    expect(chat.messages).toEqual([]);
  });

  test('Escape stops a reply that was not drawn yet', async () => {
    const { chat, type, input } = await chatWith(tokenGate());
    type('Hello');
    expect(chat.state.kind).toBe('replying');
    input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, composed: true }));
    await vi.waitFor(() => expect(chat.state.kind).toBe('stopped'));
  });

  test('properties and attributes are one, and "false" is off', async () => {
    const { chat, input } = await chatWith();
    chat.disabled = true;
    chat.placeholder = 'Ask me';
    expect([chat.getAttribute('disabled'), input.disabled, input.placeholder]).toEqual(['', true, 'Ask me']);
    chat.setAttribute('disabled', 'false'); // as Vue and React write what they do not know
    expect([chat.disabled, input.disabled]).toEqual([false, false]);
    chat.setAttribute('disabled', 'disabled');
    expect([chat.disabled, input.disabled]).toEqual([true, true]);
    chat.disabled = undefined;
    chat.placeholder = null;
    expect([chat.hasAttribute('disabled'), chat.placeholder, input.placeholder]).toEqual([false, '', '']);
    for (const name of ['device', 'tuning', 'model'] as const) {
      chat[name] = 'off';
      expect(chat.getAttribute(name)).toBe('off');
      chat[name] = undefined;
      expect(chat[name]).toBeNull();
    }
  });

  test('autoload, added later, loads what has shown its plan', async () => {
    ChatElement.openEngine = async () => new FakeEngine({});
    const chat = document.createElement('atomoe-chat');
    chat.setAttribute('autoload', 'false');
    chat.model = 'm/';
    document.body.append(chat);
    await vi.waitFor(() => expect(chat.state).toMatchObject({ kind: 'planning', plan: {} }));
    chat.autoload = true;
    await vi.waitFor(() => expect(chat.state.kind).toBe('ready'));
  });

  test('styles follow into another document', async () => {
    const { chat, input } = await chatWith();
    const slots = document.createElement('atomoe-slots');
    const experts = document.createElement('atomoe-experts');
    document.body.append(slots, experts);
    const frame = document.body.appendChild(document.createElement('iframe'));
    const there = frame.contentDocument!;
    there.body.append(chat, slots, experts);
    for (const element of [chat, slots, experts])
      expect(element.shadowRoot!.adoptedStyleSheets).toHaveLength(1);
    expect(frame.contentWindow!.getComputedStyle(chat).display).toBe('flex');
    expect(frame.contentWindow!.getComputedStyle(input).resize).toBe('none');
    document.body.append(chat);
    expect(getComputedStyle(chat).display).toBe('flex');
  });

  test('what is said aloud: the beginning, then the whole reply, never a token', async () => {
    const gate = tokenGate();
    const { type, root, chat } = await chatWith(gate);
    const said: string[] = [];
    const status = root.querySelector('[role=status]')!;
    new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true });
    type('Hello');
    for (let i = 0; i < 9; i++) {
      await gate.next();
      await new Promise(requestAnimationFrame);
    }
    await vi.waitFor(() => expect(chat.state.kind).toBe('ready'));
    await vi.waitFor(() => expect(said).toEqual(['Writing a reply', STORY]));
    expect(root.querySelector('[role=log]')!.getAttribute('aria-live')).toBe('off');
  });

  test('nothing leaks: no style attributes, no HTML strings, the page keeps its own look', async () => {
    const { root, type, chat } = await chatWith();
    type('<b>bold</b>');
    await vi.waitFor(() => expect(chat.state.kind).toBe('ready'));
    expect(root.querySelector('b')).toBeNull();
    expect(root.querySelector('[style], style, link')).toBeNull();
    expect(root.adoptedStyleSheets).toHaveLength(1);
    expect(document.adoptedStyleSheets).toHaveLength(0);
  });
});

describe('<atomoe-experts>', () => {
  function experts(): ExpertsElement {
    const element = document.createElement('atomoe-experts');
    document.body.append(element);
    return element;
  }

  const routes = { ids: [[5], [9]], weights: [[1], [1]] };

  const colourAt = (element: ExpertsElement, x: number, y: number): string => {
    const canvas = element.shadowRoot!.querySelector('canvas')!;
    const scale = canvas.width / canvas.clientWidth;
    const pixel = canvas.getContext('2d')!.getImageData(x * scale, y * scale, 1, 1).data;
    return [...pixel].join(' ');
  };

  test('a token lights its cell, and only that', async () => {
    const element = experts();
    element.reset({ layers: 2, perLayer: 4096, grid: 64 }, 1);
    await vi.waitFor(() => expect(colourAt(element, 10, 40)).not.toBe('0 0 0 0'));
    const canvas = element.shadowRoot!.querySelector('canvas')!;
    const cell = Math.floor((canvas.clientWidth - 20) / 2 / 64); // wide enough for two squares
    const cold = colourAt(element, 3 + 7.5 * cell, 18 + cell / 2);
    await vi.waitFor(() => {
      element.addToken('fox', routes); // again: a busy machine may show none before its light has faded
      expect(colourAt(element, 3 + 5.5 * cell, 18 + cell / 2)).not.toBe(cold);
    });
    expect(colourAt(element, 3 + 7.5 * cell, 18 + cell / 2)).toBe(cold);
  });

  test('words and experts name each other', async () => {
    const element = experts();
    const picks: (ExpertPick | null)[] = [];
    element.addEventListener('experts-pick', (event) => picks.push(event.detail));
    element.reset({ layers: 2, perLayer: 16 }, 1);
    element.addToken('Once', undefined);
    element.addToken(' fox', routes);
    element.addToken(' fox', routes);
    const readout = element.shadowRoot!.querySelector('.readout')!;
    element.showWord(1);
    expect(readout.textContent).toBe('“fox” was made by 2 experts in 2 layers.');
    element.showWord(0);
    expect(readout.textContent).toBe('“Once” is part of the prompt.');
    element.settle();
    const button = await vi.waitFor(() => {
      const found = element.shadowRoot!.querySelector<HTMLButtonElement>('tbody button');
      expect(found?.textContent).toBe('5 (100 %)'); // the table is loaded beside the picture
      return found!;
    });
    button.click();
    expect(readout.textContent).toBe('Layer 0, expert 5 is used most for: fox ×2');
    expect(button.getAttribute('aria-pressed')).toBe('true');
    button.click();
    expect(picks).toEqual([{ layer: 0, expert: 5, words: [1, 2] }, null]);
  });
});
