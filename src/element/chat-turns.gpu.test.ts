/** What people do with messages of `<atomoe-chat>`, in a real browser, on a scripted engine. */
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ChatElement } from './chat-element.ts';
import { ENGLISH } from './chat-texts.ts';
import { FakeEngine, type FakeScript } from './fake-engine.ts';

const clipboard = vi.fn(async (_: string) => {});

beforeAll(async () => {
  await import('./define.ts');
  vi.spyOn(navigator.clipboard, 'writeText').mockImplementation(clipboard);
});

afterEach(() => {
  document.body.replaceChildren();
  clipboard.mockClear();
});

async function chatWith(script: FakeScript = {}, attributes: Record<string, string> = {}) {
  const engine = new FakeEngine({ hasChatTemplate: true, words: ['Yes', '.'], ...script });
  await engine.load('m/');
  const chat = document.createElement('atomoe-chat');
  for (const [name, value] of Object.entries(attributes)) chat.setAttribute(name, value);
  chat.engine = engine;
  document.body.append(chat);
  const root = chat.shadowRoot!;
  const turn = (index: number): HTMLElement => [...root.querySelectorAll<HTMLElement>('.turn')].at(index)!;
  const button = (index: number, action: string): HTMLButtonElement | null =>
    turn(index).querySelector(`[data-action="${action}"]`);
  const use = async (index: number, action: string): Promise<void> => {
    await vi.waitFor(() => expect(button(index, action)?.getAttribute('aria-disabled')).toBe('false'));
    button(index, action)!.focus();
    button(index, action)!.click();
  };
  const barButton = (name: string): HTMLButtonElement =>
    [...root.querySelectorAll<HTMLButtonElement>('.bar button')].find((each) => each.textContent === name)!;
  const shown = (): string[] => [...root.querySelectorAll('article .text')].map((each) => each.textContent);
  const say = async (text: string): Promise<void> => {
    await chat.send(text);
    await vi.waitFor(() => expect(shown().at(-1)).toMatch(/\.$/)); // of the reply
  };
  const status = (): string => root.querySelector('[role=status]')!.textContent;
  return { chat, engine, root, turn, button, use, barButton, shown, say, status };
}

describe('the buttons of a message', () => {
  test('those that make sense: for a message, for a reply, and for a story', async () => {
    const actions = (element: HTMLElement) =>
      [...element.querySelectorAll<HTMLElement>('[data-action]')].map((each) => each.dataset['action']);
    const { turn, say } = await chatWith();
    await say('one');
    expect(actions(turn(0))).toEqual(['copy', 'edit', 'delete']);
    await vi.waitFor(() => expect(actions(turn(1))).toEqual(['copy', 'regenerate', 'delete']));
    const story = await chatWith({ hasChatTemplate: false, reason: 'length' });
    await story.say('Once');
    await vi.waitFor(() =>
      expect(actions(story.turn(0))).toEqual(['edit', 'copy', 'regenerate', 'continue', 'delete']),
    );
    const bare = await chatWith({}, { features: '' });
    await bare.say('one');
    expect(actions(bare.turn(0))).toEqual([]);
    expect(bare.root.querySelector('.figures')).toBeNull();
  });

  test('the page’s own stand beside them: copies of its slot, for one role or both, that tell which message', async () => {
    const { chat, turn, say, use, root } = await chatWith();
    const own = (html: { value?: string; text: string; role?: string; title?: string }) => {
      const button = document.createElement('button');
      Object.assign(button, { slot: 'actions', textContent: html.text, title: html.title ?? '' });
      if (html.value !== undefined) button.setAttribute('value', html.value);
      if (html.role !== undefined) button.dataset['for'] = html.role;
      chat.append(button);
      return button;
    };
    own({ value: 'speak', text: 'Read aloud', role: 'assistant', title: 'Reads it to you' });
    await say('one');
    const named = (index: number) =>
      [...turn(index).querySelectorAll('[part=own-action]')].map((each) => each.textContent);
    await vi.waitFor(() => expect(named(1)).toEqual(['Read aloud']));
    expect(named(0)).toEqual([]);
    const pin = own({ text: 'Pin' }); // later than the messages
    await vi.waitFor(() => expect([named(0), named(1)]).toEqual([['Pin'], ['Read aloud', 'Pin']]));
    expect(pin.checkVisibility()).toBe(false);
    const heard: unknown[] = [];
    chat.addEventListener('chat-action', ({ detail: { action, message } }) =>
      heard.push([action, message.role, message.text, message.id === chat.messages[1]?.id]),
    );
    await use(1, 'own speak');
    await use(0, 'own Pin');
    expect(heard).toEqual([
      ['speak', 'assistant', 'Yes.', true],
      ['Pin', 'user', 'one', false],
    ]);
    expect((root.activeElement as HTMLElement).textContent).toBe('Pin');
    pin.remove();
    await vi.waitFor(() => expect([named(0), named(1)]).toEqual([[], ['Read aloud']]));
  });

  test('a story is copied and deleted with its beginning', async () => {
    const { say, use, root } = await chatWith({ hasChatTemplate: false });
    await say('Once');
    await use(0, 'copy');
    expect(clipboard).toHaveBeenCalledExactlyOnceWith('OnceYes.');
    await use(0, 'regenerate');
    await vi.waitFor(() => expect(root.querySelector('.versions')?.textContent).toContain('2/2'));
    await use(0, 'delete'); // one of two versions
    await vi.waitFor(() => expect(root.querySelector('.versions')).toBeNull());
    expect(root.querySelectorAll('.turn')).toHaveLength(1);
    await use(0, 'delete');
    await vi.waitFor(() => expect(root.querySelectorAll('.turn')).toHaveLength(0));
  });

  test('copy puts the text on the clipboard, and says so', async () => {
    const { say, use, status } = await chatWith();
    await say('one');
    await use(1, 'copy');
    expect(clipboard).toHaveBeenCalledExactlyOnceWith('Yes.');
    await vi.waitFor(() => expect(status()).toBe('Copied'));
    clipboard.mockRejectedValueOnce(new Error('not allowed'));
    await use(1, 'copy');
    await vi.waitFor(() => expect(status()).toBe('This page may not copy'));
  });

  test('another reply takes the place of the first; arrows go back and forth; the focus stays', async () => {
    const { say, use, root, shown, engine, turn, status, chat } = await chatWith();
    chat.generateOptions = { seed: 3, maxTokens: 20 };
    await say('one');
    Object.assign(engine.script, { words: ['No', '.'] });
    await use(1, 'regenerate');
    await vi.waitFor(() => expect(shown()).toEqual(['one', 'No.']));
    expect(engine.options.map(({ seed }) => seed)).toEqual([3, undefined]); // with the page's it would be the same
    const focused = () => (root.activeElement as HTMLElement).dataset['action'];
    await vi.waitFor(() => expect(focused()).toBe('regenerate')); // when it has ended
    await vi.waitFor(() => expect(turn(1).querySelector('.versions')?.textContent).toBe('‹2/2›'));
    await use(1, 'previous');
    await vi.waitFor(() => expect(shown()).toEqual(['one', 'Yes.']));
    expect((root.activeElement as HTMLElement).dataset['action']).toBe('previous');
    expect(status()).toBe('Version 1 of 2');
    await use(1, 'previous'); // the first
    await use(1, 'next');
    await vi.waitFor(() => expect(shown()).toEqual(['one', 'No.']));
  });

  test('edit: a field in the place of the message; Enter saves a version, Escape changes nothing', async () => {
    const { say, use, turn, root, shown, engine, chat } = await chatWith();
    await say('one');
    const field = () => turn(0).querySelector('textarea')!;
    const edit = async () => {
      await use(0, 'edit');
      await vi.waitFor(() => expect([field().value, root.activeElement]).toEqual(['one', field()]));
    };
    await edit();
    const press = (key: string) =>
      field().dispatchEvent(
        new KeyboardEvent('keydown', { key, bubbles: true, composed: true, cancelable: true }),
      );
    press('Escape');
    expect(turn(0).querySelector('textarea')).toBeNull();
    expect((root.activeElement as HTMLElement).dataset['action']).toBe('edit');
    expect(shown()).toEqual(['one', 'Yes.']);
    await edit();
    field().value = 'uno';
    press('Enter');
    await vi.waitFor(() => expect(shown()).toEqual(['uno', 'Yes.']));
    expect(engine.prompts.at(-1)).toEqual([{ role: 'user', content: 'uno' }]);
    expect(chat.messages[0]?.versions).toHaveLength(2);
    await vi.waitFor(() => expect((root.activeElement as HTMLElement).dataset['action']).toBe('edit'));
  });

  test('a page may take an edited message for itself, as any other', async () => {
    const { say, use, turn, engine, chat } = await chatWith();
    await say('one');
    chat.addEventListener('chat-send', (event) => event.preventDefault());
    await use(0, 'edit');
    await vi.waitFor(() => expect(turn(0).querySelector('textarea')).not.toBeNull());
    turn(0).querySelector('textarea')!.value = 'uno';
    turn(0).querySelector('form')!.requestSubmit();
    expect(engine.prompts).toHaveLength(1);
  });

  test('delete takes what followed; the focus stays in the conversation', async () => {
    const { say, use, shown, root } = await chatWith();
    await say('one');
    await say('two');
    await use(2, 'delete');
    await vi.waitFor(() => expect(shown()).toEqual(['one', 'Yes.']));
    expect(root.activeElement).toBe(root.querySelector('[role=log]'));
  });

  test('a story goes on in the same text', async () => {
    const { say, use, root } = await chatWith({ hasChatTemplate: false, reason: 'length' });
    await say('Once');
    const text = root.querySelector('article p')!;
    await vi.waitFor(() => expect(text.textContent).toBe('OnceYes.'));
    await use(0, 'continue');
    await vi.waitFor(() => expect(text.textContent).toBe('OnceYes.Yes.'));
    expect(text.isConnected).toBe(true);
  });

  test('the figures of a reply, and its seed for the next ones', async () => {
    const { say, use, turn, chat, engine, status } = await chatWith({}, { features: 'figures settings' });
    const changed = vi.fn();
    chat.addEventListener('chat-settings', (event) => changed(event.detail));
    await say('one');
    await vi.waitFor(() =>
      expect(turn(1).querySelector('.figures')?.textContent).toMatch(
        /^2 tokens · 100 tok\/s · first after 0\.\d s · seed 7$/,
      ),
    );
    await use(1, 'seed');
    expect(changed).toHaveBeenCalledExactlyOnceWith({ seed: 7 });
    expect(status()).toBe(ENGLISH.seedUsed);
    await say('two');
    expect(engine.options.at(-1)).toMatchObject({ seed: 7 });
  });

  test('nothing but copy is done while a reply is coming', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const { chat, button, turn, shown } = await chatWith({
      beforeToken: (index) => (index === 0 ? Promise.resolve() : held),
    });
    const reply = chat.send('one');
    await vi.waitFor(() => expect(shown()).toEqual(['one', 'Yes']));
    expect(button(0, 'delete')!.getAttribute('aria-disabled')).toBe('true');
    button(0, 'delete')!.click();
    expect(shown()).toEqual(['one', 'Yes']);
    expect(turn(1).querySelector('[data-action]')).toBeNull();
    release();
    await reply;
  });
});

describe('the line above', () => {
  test('is there where it is asked for; all of a conversation as Markdown', async () => {
    const { root } = await chatWith();
    expect(root.querySelector<HTMLElement>('.bar')!.hidden).toBe(true);
    const { say, barButton, status } = await chatWith({}, { features: 'copy new' });
    expect(barButton('Settings').hidden).toBe(true);
    await say('one');
    await vi.waitFor(() => expect(status()).toBe('Yes.'));
    expect(barButton('Copy all').getAttribute('aria-disabled')).toBe('false');
    barButton('Copy all').click();
    expect(clipboard).toHaveBeenCalledExactlyOnceWith('## You\n\none\n\n## Assistant\n\nYes.\n');
    await vi.waitFor(() => expect(status()).toBe('Copied'));
  });

  test('the meter shows the tokens in use, and a new conversation none', async () => {
    const { say, root, barButton, shown } = await chatWith({}, { features: 'all' });
    await say('one');
    const meter = root.querySelector('.meter')!;
    await vi.waitFor(() => expect(meter.textContent).toBe('5 of 64 tokens'));
    expect(meter.querySelector('progress')!.value).toBeCloseTo(5 / 64);
    barButton('New').click();
    await vi.waitFor(() => expect(meter.textContent).toBe('0 of 64 tokens'));
    expect(shown()).toEqual([]);
    expect(root.activeElement).toBe(root.querySelector('#input'));
  });

  test('the settings take the place of the conversation; Escape closes them', async () => {
    const { root, barButton, chat, say, engine } = await chatWith({}, { features: 'settings' });
    barButton('Settings').click();
    await vi.waitFor(() => expect(root.querySelector('.panel')).not.toBeNull());
    expect(root.querySelector<HTMLElement>('[role=log]')!.hidden).toBe(true);
    expect(barButton('Settings').getAttribute('aria-expanded')).toBe('true');
    expect(root.activeElement!.textContent).toBe('Balanced');
    const set = (name: string, value: string): void => {
      const input = root.querySelector<HTMLInputElement>(`#setting-${name}`)!;
      input.value = value;
      input.dispatchEvent(new Event('change'));
    };
    root.querySelector<HTMLElement>('.presets button')!.click();
    set('maxTokens', '9');
    set('systemPrompt', 'Be brief.');
    set('topK', '-3'); // out of its range
    expect(root.querySelector<HTMLInputElement>('#setting-topK')!.value).toBe('');
    expect(chat.settings).toEqual({ temperature: 0.2, topP: 0.9, maxTokens: 9, systemPrompt: 'Be brief.' });
    root.activeElement!.dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, composed: true, cancelable: true }),
    );
    expect(root.querySelector('.panel')).toBeNull();
    expect(root.activeElement).toBe(barButton('Settings'));
    await say('one');
    expect(engine.prompts[0]).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'one' },
    ]);
    expect(engine.options[0]).toMatchObject({ temperature: 0.2, topP: 0.9, maxTokens: 9 });
  });
});

describe('a conversation', () => {
  test('that is longer than the context is cut where the page says', async () => {
    const tokens = (prompt: unknown) => 10 * (prompt as unknown[]).length;
    const script = { tokens, plan: { contextTokens: 82 } };
    const { say, root, turn, chat } = await chatWith(script, { 'context-rule': 'keep-first' });
    expect(chat.contextRule).toBe('keep-first');
    for (const text of ['one', 'two', 'three']) await say(text);
    await vi.waitFor(() => expect(turn(3).nextElementSibling?.className).toBe('cut'));
    expect(root.querySelector('.cut')!.textContent).toBe(ENGLISH.cutFaint);
    expect([...root.querySelectorAll('.turn')].map((each) => each.classList.contains('left-out'))).toEqual(
      [false, false, true, true, false, false], // prettier-ignore
    );
    chat.contextRule = null;
    expect(chat.contextRule).toBe('drop-oldest');
  });

  test('calls of tools show name and arguments', async () => {
    const call = {
      id: 'c',
      type: 'function',
      function: { name: 'weather', arguments: '{"at":"Bern"}' },
    } as const;
    const { chat, root } = await chatWith({ words: [], toolCalls: [call] });
    await chat.send('one');
    await vi.waitFor(() => expect(root.querySelector('.call summary')?.textContent).toBe('Calls weather'));
    expect(root.querySelector('.call code')!.textContent).toBe('{\n  "at": "Bern"\n}');
  });

  test('texts are replaced at any time', async () => {
    const { chat, say, root, button } = await chatWith();
    await say('one');
    chat.texts = { send: 'Senden', you: 'Du', copy: 'Kopieren' };
    expect(root.querySelector('[part=send]')!.textContent).toBe('Senden');
    expect(root.querySelector('article')!.getAttribute('aria-label')).toBe('Du');
    expect(button(0, 'copy')!.textContent).toBe('Kopieren');
    expect(button(0, 'edit')!.textContent).toBe('Edit');
  });

  test('the last reply is the value in a form', async () => {
    const form = document.body.appendChild(document.createElement('form'));
    const { chat, say } = await chatWith({}, { name: 'answer' });
    form.append(chat as ChatElement);
    await say('one');
    expect([...new FormData(form)]).toEqual([['answer', 'Yes.']]);
    chat.clear();
    expect([...new FormData(form)]).toEqual([['answer', '']]);
  });

  test('moves to another element as plain data', async () => {
    const { chat, say } = await chatWith();
    await say('one');
    const other = await chatWith();
    other.chat.conversation = structuredClone(chat.conversation);
    await vi.waitFor(() => expect(other.shown()).toEqual(['one', 'Yes.']));
  });
});
