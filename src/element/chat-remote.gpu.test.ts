/** Another server behind `<atomoe-chat>`: consent comes first, and a refusal costs nothing. The server is a function. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { ChatElement } from './chat-element.ts';
import { FakeEngine, type FakeScript } from './fake-engine.ts';
import type { ChatRemote } from './remote-chat.ts';

let openBefore: typeof ChatElement.openEngine;

beforeAll(async () => {
  await import('./define.ts');
  openBefore = ChatElement.openEngine;
});
afterAll(() => {
  ChatElement.openEngine = openBefore;
});
afterEach(() => document.body.replaceChildren());

/** Server-sent events of a reply. */
function reply(...deltas: object[]): Response {
  const chunk = (delta: object, reason: string | null = null) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`;
  const usage = `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 4, completion_tokens: 2 } })}\n\n`;
  const text = deltas.map((delta) => chunk(delta)).join('') + chunk({}, 'stop') + usage + 'data: [DONE]\n\n';
  return new Response(text, { headers: { 'content-type': 'text/event-stream' } });
}

async function chatWith(remote: Partial<ChatRemote> = {}, script: FakeScript = {}) {
  const asked: { url: string; body: { messages: unknown; seed: number } }[] = [];
  const engines: FakeEngine[] = [];
  ChatElement.openEngine = async () => {
    const plan = { fits: false, why: 'It needs 90 GB, and 4 GB are there.' };
    const engine = new FakeEngine({ plan, ...script });
    engines.push(engine);
    return engine;
  };
  const chat = document.createElement('atomoe-chat');
  chat.remote = {
    baseURL: 'https://far.test/v1',
    model: 'large',
    use: 'always',
    fetch: async (url, init) => {
      asked.push({ url: String(url), body: JSON.parse(String(init?.body)) });
      return reply({ role: 'assistant', content: 'From' }, { content: ' afar.' });
    },
    ...remote,
  };
  document.body.append(chat);
  const root = chat.shadowRoot!;
  const input = root.querySelector('textarea')!;
  const dialog = () => root.querySelector('dialog');
  const button = (text: string) =>
    [...root.querySelectorAll('button')].find((each) => each.textContent === text)!;
  const write = async (text: string): Promise<void> => {
    await vi.waitFor(() => expect(chat.state.kind).toMatch(/ready|planning/));
    input.focus();
    input.value = text;
    input.dispatchEvent(new Event('input'));
    input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
  };
  const shown = () => [...root.querySelectorAll('article .text')].map((each) => each.textContent);
  return { chat, asked, engines, root, input, dialog, button, write, shown };
}

describe('consent', () => {
  test('is asked for once, in a dialog that names the host, before anything is sent', async () => {
    const { asked, dialog, button, write, shown, engines, root } = await chatWith();
    await write('Hello');
    await vi.waitFor(() => expect(dialog()?.open).toBe(true));
    expect(dialog()!.textContent).toContain('far.test');
    expect(dialog()!.getAttribute('aria-labelledby')).toBe(dialog()!.querySelector('h2')!.id);
    expect((root.activeElement as HTMLElement).textContent).toBe('Do not send'); // Enter alone agrees to nothing
    expect(asked).toEqual([]);
    button('Send to far.test').click();
    await vi.waitFor(() => expect(shown()).toEqual(['Hello', 'From afar.']));
    expect(asked).toMatchObject([
      {
        url: 'https://far.test/v1/chat/completions',
        body: { model: 'large', stream: true, messages: [{ role: 'user', content: 'Hello' }] },
      },
    ]);
    expect(dialog()).toBeNull();
    expect(root.querySelector('[part=remote]')?.textContent).toBe('Replies come from far.test.');
    await write('More');
    await vi.waitFor(() => expect(shown()).toHaveLength(4));
    expect(dialog()).toBeNull();
    expect(engines).toEqual([]); // `always` opens none here
  });

  test.each(['Do not send', 'Escape'])(
    'refused by %s: nothing is sent, and the prompt is in the field again',
    async (how) => {
      const { chat, asked, dialog, button, write, input, root, shown } = await chatWith();
      const errors = vi.fn();
      chat.addEventListener('chat-error', errors);
      await write('My secret');
      await vi.waitFor(() => expect(dialog()?.open).toBe(true));
      expect(input.value).toBe('');
      if (how === 'Escape')
        dialog()!.requestClose(); // what the browser makes of the key
      else button(how).click();
      await vi.waitFor(() => expect(input.value).toBe('My secret'));
      expect(asked).toEqual([]);
      expect(chat.messages).toEqual([]);
      expect(chat.state.kind).toBe('ready');
      expect(errors).not.toHaveBeenCalled();
      await vi.waitFor(() => expect(root.activeElement).toBe(input));
      expect(root.querySelector('[role=status]')!.textContent).toContain('Nothing was sent.');
      await write(input.value); // it is asked again
      await vi.waitFor(() => expect(dialog()?.open).toBe(true));
      button('Send to far.test').click();
      await vi.waitFor(() => expect(shown()).toEqual(['My secret', 'From afar.']));
    },
  );

  test('a draft that is in the field by then is not lost, and neither is what was not sent', async () => {
    const { chat, dialog, button, write, input, root, asked } = await chatWith();
    await write('First');
    await vi.waitFor(() => expect(dialog()?.open).toBe(true));
    input.value = 'a draft';
    button('Do not send').click();
    await vi.waitFor(() =>
      expect(root.querySelector('[role=status]')!.textContent).toContain('Nothing was sent.'),
    );
    expect(input.value).toBe('a draft');
    expect(chat.messages.map(({ text }) => text)).toEqual(['First']);
    expect(chat.state.kind).toBe('ready');
    expect(asked).toEqual([]);
  });

  test('a chat that goes while it is asked has refused, and works again elsewhere', async () => {
    const { chat, dialog, button, write, shown, asked } = await chatWith();
    await write('Hello');
    await vi.waitFor(() => expect(dialog()?.open).toBe(true));
    chat.remove();
    await vi.waitFor(() => expect(dialog()).toBeNull());
    expect(asked).toEqual([]);
    document.body.append(chat);
    await write('Again');
    await vi.waitFor(() => expect(dialog()?.open).toBe(true));
    button('Send to far.test').click();
    await vi.waitFor(() => expect(shown().at(-1)).toBe('From afar.'));
  });

  test('the same server given anew changes nothing; another one, and none, also while it is not shown', async () => {
    const { chat, write, shown, asked, engines } = await chatWith({ confirm: () => true });
    await write('Hello');
    await vi.waitFor(() => expect(shown()).toHaveLength(2));
    await vi.waitFor(() => expect(chat.state.kind).toBe('ready'));
    chat.remote = { ...chat.remote! };
    expect(chat.state.kind).toBe('ready');
    chat.remove();
    await Promise.resolve();
    chat.remote = undefined;
    chat.engine = new FakeEngine({});
    document.body.append(chat);
    await vi.waitFor(() => expect(chat.state.kind).toMatch(/ready|idle/));
    expect(asked).toHaveLength(1);
    expect(engines).toEqual([]);
  });

  test('refused for another version of a reply, the first one stays', async () => {
    const answers = [true, false];
    const { asked, write, shown, root, chat } = await chatWith({ confirm: () => answers.shift() ?? false });
    await write('Hello');
    await vi.waitFor(() => expect(shown()).toEqual(['Hello', 'From afar.']));
    chat.remote = { ...chat.remote!, confirm: () => false }; // another consent
    await vi.waitFor(() => expect(chat.state.kind).toBe('ready'));
    root.querySelector<HTMLElement>('[data-action=regenerate]')!.click();
    await vi.waitFor(() =>
      expect(root.querySelector('[role=status]')!.textContent).toContain('Nothing was sent.'),
    );
    expect(shown()).toEqual(['Hello', 'From afar.']);
    expect(chat.state.kind).toBe('ready');
    expect(asked).toHaveLength(1);
    expect(root.querySelectorAll('[part=remote]')).toHaveLength(1);
  });

  test('a page may ask in its own way, and the texts may be others', async () => {
    const confirm = vi.fn(async () => true);
    const own = await chatWith({ confirm });
    await own.write('Hello');
    await vi.waitFor(() => expect(own.shown()).toHaveLength(2));
    expect(confirm).toHaveBeenCalledExactlyOnceWith('far.test');
    expect(own.dialog()).toBeNull();
    own.chat.remove();

    const german = await chatWith();
    german.chat.texts = { panels: { 'Do not send': 'Nicht senden', 'Send to {host}': 'An {host} senden' } };
    await german.write('Hallo');
    await vi.waitFor(() => expect(german.button('An far.test senden')).toBeDefined());
    expect(german.button('Nicht senden')).toBeDefined();
  });
});

describe('where the model does not fit', () => {
  test('the plan offers the other server; what is sent is asked about, and a refusal keeps the plan', async () => {
    const { chat, engines, root, asked, dialog, button, write, shown, input } = await chatWith({
      use: 'too-small',
    });
    chat.model = 'https://your.test/huge/';
    await vi.waitFor(() =>
      expect(root.querySelector('[part=notice]')?.textContent).toContain(
        'It needs 90 GB, and 4 GB are there. Replies can come from far.test instead: you are asked before anything is sent.',
      ),
    );
    await write('Hello');
    await vi.waitFor(() => expect(dialog()?.open).toBe(true));
    button('Do not send').click();
    await vi.waitFor(() => expect(input.value).toBe('Hello'));
    expect(asked).toEqual([]);
    await write('Hello');
    await vi.waitFor(() => expect(dialog()?.open).toBe(true));
    button('Send to far.test').click();
    await vi.waitFor(() => expect(shown()).toEqual(['Hello', 'From afar.']));
    expect(engines).toHaveLength(1);
    expect(engines[0]?.model).toBeUndefined();
    expect(chat.state.context).toBeUndefined(); // nobody knows how long it is
    chat.remove();
    await vi.waitFor(() => expect(engines[0]?.isDisposed).toBe(true));
  });

  test('and where it does, the device replies and nobody is asked', async () => {
    const { chat, asked, dialog, write, shown, root } = await chatWith(
      { use: 'too-small' },
      { plan: { fits: true, why: '' }, hasChatTemplate: true, words: ['Here.'] },
    );
    chat.model = 'https://your.test/small/';
    await write('Hello');
    await vi.waitFor(() => expect(shown()).toEqual(['Hello', 'Here.']));
    expect(dialog()).toBeNull();
    expect(asked).toEqual([]);
    expect(root.querySelector('[part=remote]')).toBeNull();
  });

  test('an engine of the page is used, and outlives the chat', async () => {
    const engine = new FakeEngine({ plan: { fits: false, why: 'Too large.' } });
    const { chat, engines, write, button, shown, dialog } = await chatWith({ use: 'too-small' });
    chat.engine = engine;
    chat.model = 'https://your.test/huge/';
    await write('Hello');
    await vi.waitFor(() => expect(dialog()?.open).toBe(true));
    button('Send to far.test').click();
    await vi.waitFor(() => expect(shown()).toEqual(['Hello', 'From afar.']));
    expect(engines).toEqual([]);
    chat.remove();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(engine.isDisposed).toBe(false);
  });
});

describe('replies', () => {
  test('thoughts, calls in pieces, usage and a seed that was sent', async () => {
    const call = (given: object) => ({ tool_calls: [{ index: 0, ...given }] });
    let sent = -1;
    const { chat, write } = await chatWith({
      confirm: () => true,
      fetch: async (_, init) => {
        sent = JSON.parse(String(init?.body)).seed;
        return reply(
          { reasoning_content: 'Hm.' },
          call({ id: 'c1', function: { name: 'look', arguments: '{"at"' } }),
          call({ function: { arguments: ':1}' } }),
        );
      },
    });
    const done = vi.fn();
    chat.addEventListener('chat-done', ({ detail }) => done(detail));
    await write('Hello');
    await vi.waitFor(() => expect(done).toHaveBeenCalled());
    const [{ seed, usage, reasoning }] = done.mock.calls[0] as [
      { seed: number; usage: object; reasoning: string },
    ];
    expect(seed).toBe(sent);
    expect(usage).toMatchObject({ promptTokens: 4, completionTokens: 2 });
    expect(reasoning).toBe('Hm.');
    expect(chat.messages.at(-1)?.toolCalls).toEqual([
      { id: 'c1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } },
    ]);
  });

  test('a server that fails is a sentence with a retry; a wrong address one, too', async () => {
    const failing = await chatWith({
      confirm: () => true,
      fetch: async () => new Response('{}', { status: 503 }),
    });
    await failing.write('Hello');
    await vi.waitFor(() => expect(failing.chat.state.kind).toBe('failed'));
    expect(failing.root.querySelector('[role=alert]')!.textContent).toContain('far.test');
    failing.chat.remove();
    const wrong = await chatWith({ baseURL: 'ftp://far.test' });
    await vi.waitFor(() => expect(wrong.chat.state.kind).toBe('failed'));
    expect(wrong.root.querySelector('[role=alert]')!.textContent).toContain('remote.baseURL');
  });
});
