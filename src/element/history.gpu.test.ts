/** Conversations that are kept on the device, in a real browser. */
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { readConversations, writeConversations, type SavedConversation } from './conversation-file.ts';
import { FakeEngine } from './fake-engine.ts';
import { HistoryDatabase } from './history-database.ts';
import { ChatHistory } from './history.ts';

const database = new HistoryDatabase();

beforeAll(async () => {
  await import('./define.ts');
});

beforeEach(() => database.clear());

afterEach(() => document.body.replaceChildren());

async function chatWith(attributes: Record<string, string> = { history: '', features: 'all' }) {
  const engine = new FakeEngine({ hasChatTemplate: true, words: ['Yes', '.'] });
  await engine.load('m/');
  const chat = document.createElement('atomoe-chat');
  for (const [name, value] of Object.entries(attributes)) chat.setAttribute(name, value);
  chat.engine = engine;
  document.body.append(chat);
  const root = chat.shadowRoot!;
  const button = (name: string): HTMLButtonElement =>
    [...root.querySelectorAll<HTMLButtonElement>('button')].find((each) => each.textContent === name)!;
  const titles = (): string[] =>
    [...root.querySelectorAll('.conversation .title')].map((each) => each.textContent);
  const open = async (): Promise<void> => {
    button('History').click();
    await vi.waitFor(() => expect(root.querySelector('.panel .hint')?.textContent).not.toBe(''));
  };
  return { chat, root, button, titles, open };
}

const kept = async (): Promise<string[]> => (await database.list()).map(({ title }) => title);

describe('the history of <atomoe-chat>', () => {
  test('nothing is kept unasked', async () => {
    const { chat, button } = await chatWith({ features: 'all history' });
    await chat.send('one');
    expect(button('History').hidden).toBe(true);
    expect(await kept()).toEqual([]);
  });

  test('a conversation is kept as it grows, and another one beside it', async () => {
    const { chat } = await chatWith();
    await chat.send('one');
    await vi.waitFor(async () => expect(await kept()).toEqual(['one']));
    await chat.send('two');
    await vi.waitFor(async () => {
      expect((await database.list()).map(({ conversation }) => conversation.turns.length)).toEqual([4]);
    });
    chat.clear();
    await chat.send('other');
    await vi.waitFor(async () => expect(await kept()).toEqual(['other', 'one']));
    chat.conversation = { turns: [], chosen: [] };
    await chat.send('third');
    await vi.waitFor(async () => expect(await kept()).toEqual(['third', 'other', 'one']));
  });

  test('it opens again where it was left, and goes on under the same name', async () => {
    const { chat, root, open, titles } = await chatWith();
    await chat.send('one');
    chat.clear();
    await chat.send('other');
    await open();
    await vi.waitFor(() => expect(titles()).toEqual(['other', 'one']));
    expect(root.querySelector('[aria-current] .title')!.textContent).toBe('other');
    root.querySelectorAll<HTMLElement>('.conversation')[1]!.click();
    expect(root.querySelector('.panel')).toBeNull();
    expect(chat.messages.map(({ text }) => text)).toEqual(['one', 'Yes.']);
    await chat.send('more');
    await vi.waitFor(async () => expect(await kept()).toEqual(['one', 'other']));
  });

  test('search, delete one, delete all after a question', async () => {
    const { chat, root, open, titles, button } = await chatWith();
    for (const text of ['a cat', 'a dog', 'a fox']) {
      await chat.send(text);
      chat.clear();
    }
    await open();
    await vi.waitFor(() => expect(titles()).toEqual(['a fox', 'a dog', 'a cat']));
    const search = root.querySelector<HTMLInputElement>('[type=search]')!;
    expect(root.activeElement).toBe(search);
    search.value = 'DOG';
    search.dispatchEvent(new Event('input'));
    expect(titles()).toEqual(['a dog']);
    button('Delete').click();
    await vi.waitFor(() => expect(root.querySelector('.hint')!.textContent).toBe('Nothing found.'));
    expect(await kept()).toEqual(['a fox', 'a cat']);
    button('Delete all').click();
    expect(await kept()).toHaveLength(2);
    button('Really delete all?').click();
    await vi.waitFor(() => expect(root.querySelector('.hint')!.textContent).toBe('Nothing is kept yet.'));
    expect(await kept()).toEqual([]);
  });

  test('a conversation of which all was deleted is not kept', async () => {
    const { chat, root } = await chatWith();
    await chat.send('one');
    await vi.waitFor(async () => expect(await kept()).toEqual(['one']));
    root.querySelector<HTMLElement>('[data-action=delete]')!.click();
    await vi.waitFor(async () => expect(await kept()).toEqual([]));
  });

  test('exported and imported again', async () => {
    const { chat, open, titles, button, root } = await chatWith();
    await chat.send('one');
    await open();
    await vi.waitFor(() => expect(titles()).toEqual(['one']));
    let blob: Blob | undefined;
    const made = vi.spyOn(URL, 'createObjectURL').mockImplementation((given) => {
      blob = given as Blob;
      return 'blob:none';
    });
    const clicked = vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => {});
    button('Export').click();
    expect(clicked).toHaveBeenCalledOnce();
    made.mockRestore();
    clicked.mockRestore();
    const file = await blob!.text();
    expect(readConversations(file).map(({ title }) => title)).toEqual(['one']);
    await database.clear();
    const { HistoryPanel } = await import('./history.ts');
    const history = new ChatHistory();
    const panel = new HistoryPanel(history, chat.texts, { open() {}, say() {} });
    await panel.take(new Blob([file]));
    expect(await kept()).toEqual(['one']);
    await panel.take(new Blob(['no']));
    expect(panel.element.querySelector('.hint')!.textContent).toMatch(
      /^this is no file of conversations: it is not JSON/,
    );
    expect(root.querySelectorAll('.conversation')).toHaveLength(1);
  });

  test('where nothing can be kept, the panel says why, and the chat goes on', async () => {
    const failing = {
      list: () => Promise.reject(new Error('no room')),
      put: () => Promise.reject(new Error('no room')),
    };
    const history = new ChatHistory(failing as unknown as HistoryDatabase);
    const turn = {
      id: 0,
      parent: undefined,
      role: 'user',
      text: 'one',
      thoughts: '',
      status: 'complete',
    } as const;
    await history.keep({ turns: [turn], chosen: [] });
    expect(history.problem?.message).toBe('no room');
    const { HistoryPanel } = await import('./history.ts');
    const { chat } = await chatWith();
    const panel = new HistoryPanel(history, chat.texts, { open() {}, say() {} });
    await vi.waitFor(() =>
      expect(panel.element.querySelector('.hint')!.textContent).toBe(
        'This browser keeps no conversations here: no room',
      ),
    );
  });

  test('two tabs write beside each other', async () => {
    const saved = (id: string): SavedConversation => {
      return { id, title: id, changedAtMs: 1, conversation: { turns: [], chosen: [] } };
    };
    const other = new HistoryDatabase();
    await Promise.all([database.put(saved('a')), other.put(saved('b'))]);
    expect((await kept()).sort()).toEqual(['a', 'b']);
    expect(readConversations(writeConversations(await database.list()))).toHaveLength(2);
    await other.close();
  });
});
