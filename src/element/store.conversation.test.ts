/** What people do with a conversation beyond going on: versions, deleting, continuing, and one longer than the context. */
import { describe, expect, test, vi } from 'vitest';
import type { ChatMessage } from '../engine/api.ts';
import { shownTurns } from './conversation.ts';
import { FakeEngine, type FakeScript } from './fake-engine.ts';
import { canContinue, type ChatState } from './state.ts';
import { ChatStore } from './store.ts';

async function setUp(script: FakeScript = {}) {
  const engine = new FakeEngine({ hasChatTemplate: true, words: ['Yes', '.'], ...script });
  let nowMs = 0;
  const store = new ChatStore({ openEngine: async () => engine, now: () => (nowMs += 100) });
  await store.load('m/');
  const shown = () => store.getState().messages.map(({ text }) => text);
  const idAt = (index: number) => store.getState().messages.at(index)!.id;
  return { store, engine, shown, idAt };
}

const roles = (engine: FakeEngine, index: number): unknown[] =>
  (engine.prompts.at(index) as readonly ChatMessage[]).map(({ content }) => content);

describe('versions', () => {
  test('an edited message is another version, with a reply of its own', async () => {
    const { store, engine, shown, idAt } = await setUp();
    await store.send('one');
    await store.send('two');
    expect(await store.edit(idAt(0), 'uno', { seed: 5 })).toBe(true);
    expect(shown()).toEqual(['uno', 'Yes.']);
    expect(roles(engine, -1)).toEqual(['uno']);
    expect(engine.options.at(-1)).toMatchObject({ seed: 5 });
    expect(store.getState().messages[0]).toMatchObject({ versions: [0, idAt(0)] });
    store.choose(0);
    expect(shown()).toEqual(['one', 'Yes.', 'two', 'Yes.']);
    await store.send('three');
    expect(roles(engine, -1)).toEqual(['one', 'Yes.', 'two', 'Yes.', 'three']);
  });

  test('another reply is given what the first was given', async () => {
    const { store, engine, shown, idAt } = await setUp();
    await store.send('one');
    await store.send('two');
    await store.regenerate(idAt(1));
    expect(engine.prompts).toHaveLength(3);
    expect(engine.prompts[2]).toEqual(engine.prompts[0]);
    expect(shown()).toEqual(['one', 'Yes.']);
    const { versions } = store.getState().messages[1]!;
    expect(versions).toHaveLength(2);
    store.choose(versions[0]!);
    expect(shown()).toEqual(['one', 'Yes.', 'two', 'Yes.']);
  });

  test('deleting takes what followed; deleting a failed reply leaves nothing to retry', async () => {
    const { store, engine, shown, idAt } = await setUp();
    await store.send('one');
    await store.send('two');
    expect(store.delete(idAt(2))).toBe(true);
    expect(shown()).toEqual(['one', 'Yes.']);
    Object.assign(engine.script, { replyError: { afterTokens: 1, error: new Error('no') } });
    await store.send('three');
    expect(store.getState()).toMatchObject({ kind: 'failed', retry: 'send' });
    store.delete(idAt(2));
    expect(store.getState().kind).toBe('ready');
    await store.retry();
    expect(engine.prompts).toHaveLength(3);
  });

  test('nothing of this while a reply is coming, nor for messages that are not there', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const { store, idAt } = await setUp({ beforeToken: () => held });
    const reply = store.send('one');
    const id = idAt(0);
    expect(await store.edit(id, 'uno')).toBe(false);
    expect(await store.regenerate(id)).toBe(false);
    expect([store.choose(id), store.delete(id), store.replace(store.conversation)]).toEqual([
      false,
      false,
      false,
    ]);
    release();
    await reply;
    expect(await store.edit(99, 'uno')).toBe(false);
    expect(await store.edit(idAt(1), 'a reply')).toBe(false);
    expect(await store.edit(idAt(0), ' ')).toBe(false);
    expect(await store.regenerate(99)).toBe(false);
    expect(await store.continueReply(99)).toBe(false);
    await expect(store.edit(idAt(0), 5 as never)).rejects.toMatchObject({ code: 'bad-input' });
  });

  test('a conversation from elsewhere gets ids of its own, and goes on', async () => {
    const { store, shown } = await setUp();
    await store.send('one');
    await store.regenerate(1);
    store.choose(1);
    const saved = structuredClone(store.conversation);
    store.clear();
    await store.send('other');
    expect(store.replace(saved)).toBe(true);
    expect(shown()).toEqual(['one', 'Yes.']);
    const { turns, chosen } = store.conversation;
    expect(turns.map(({ id }) => id)).toEqual([5, 6, 7]);
    expect(turns.map(({ parent }) => parent)).toEqual([undefined, 5, 5]);
    expect(chosen).toEqual([6]);
    await store.send('two');
    expect(shownTurns(store.conversation).at(-1)).toMatchObject({ text: 'Yes.', id: 9, parent: 8 });
  });
});

describe('continuing', () => {
  test('a story that took all its tokens goes on where it ended', async () => {
    const { store, engine, shown } = await setUp({ hasChatTemplate: false, reason: 'length' });
    await store.send('Once');
    const state = (): ChatState => store.getState();
    expect(canContinue(state(), 1)).toBe(true);
    expect(await store.continueReply(1)).toBe(true);
    expect(engine.prompts).toEqual(['Once', 'OnceYes.']);
    expect(shown()).toEqual(['Once', 'Yes.Yes.']);
    expect(store.conversation.turns).toHaveLength(2);
    Object.assign(engine.script, { reason: 'stop' });
    await store.continueReply(1);
    expect(shown()).toEqual(['Once', 'Yes.Yes.Yes.']);
    expect(canContinue(state(), 1)).toBe(false);
  });

  test('so does a reply of a chat, as the beginning of the answer', async () => {
    const { store, engine, shown } = await setUp({ hasChatTemplate: true, reason: 'length' });
    await store.send('Once');
    expect(await store.continueReply(1)).toBe(true);
    expect(engine.prompts.at(-1)).toEqual([
      { role: 'user', content: 'Once' },
      { role: 'assistant', content: 'Yes.' },
    ]);
    expect(engine.options.at(-1)).toMatchObject({ continueFinalMessage: true });
    expect(shown()).toEqual(['Once', 'Yes.Yes.']);
    await store.send('two');
    expect(engine.options.at(-1)).toMatchObject({ continueFinalMessage: false });
  });

  test('what failed on the way is kept up to there, and goes on at the next attempt', async () => {
    const { store, engine, shown } = await setUp({ hasChatTemplate: false, reason: 'length' });
    await store.send('Once');
    Object.assign(engine.script, { replyError: { afterTokens: 1, error: new Error('no') } });
    await store.continueReply(1);
    expect(store.getState()).toMatchObject({ kind: 'failed', retry: 'send' });
    expect(shown()).toEqual(['Once', 'Yes.Yes']);
    Object.assign(engine.script, { replyError: undefined });
    await store.retry();
    expect(engine.prompts.at(-1)).toBe('OnceYes.Yes');
    expect(shown()).toEqual(['Once', 'Yes.YesYes.']);
  });

  test('a stopped reply has its figures, once the engine has told them', async () => {
    const beforeToken = (index: number, signal?: AbortSignal) =>
      index === 0
        ? Promise.resolve()
        : new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
    const { store } = await setUp({ hasChatTemplate: false, beforeToken });
    const reply = store.send('Once');
    await vi.waitFor(() => expect(store.getState().messages[1]?.text).toBe('Yes'));
    store.stop();
    await reply;
    expect(store.getState().messages[1]).toMatchObject({
      status: 'stopped',
      text: 'Yes',
      figures: { reason: 'abort', seed: 7, completionTokens: 1 },
    });
    expect(canContinue(store.getState(), 1)).toBe(true);
  });
});

describe('figures', () => {
  test('the first token is counted from the request, and the context by what the engine says', async () => {
    const { store } = await setUp();
    await store.send('one');
    // The clock moves 100 ms at every look: when asked, and at the first token.
    expect(store.getState().messages[1]?.figures).toEqual({
      reason: 'stop',
      seed: 7,
      completionTokens: 2,
      contextTokens: 5,
      firstTokenMs: 100,
      tokensPerSecond: 100,
    });
    expect(store.getState().context).toEqual({ usedTokens: 5, totalTokens: 64 });
    store.clear();
    expect(store.getState().context).toEqual({ usedTokens: 0, totalTokens: 64 });
  });

  test('calls of tools are kept with the reply', async () => {
    const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } } as const;
    const { store } = await setUp({ words: [], toolCalls: [call] });
    await store.send('one');
    expect(store.getState().messages[1]).toMatchObject({ text: '', toolCalls: [call], status: 'complete' });
  });
});

describe('a conversation that is longer than the context', () => {
  /** Ten tokens a message; half of the context is for the reply, and a cut leaves three quarters of the rest. */
  const upTo = (messages: number) => ({
    tokens: (prompt: unknown) => 10 * (prompt as unknown[]).length,
    plan: { contextTokens: Math.floor(27.5 * messages) },
  });

  test('the oldest exchanges are left out as the model counts, before it is asked, and that is shown', async () => {
    const { store, engine, idAt } = await setUp(upTo(4));
    store.systemPrompt = 'Be brief.';
    await store.send('one');
    await store.send('two');
    await store.send('three');
    expect(roles(engine, -1)).toEqual(['Be brief.', 'two', 'Yes.', 'three']);
    expect(store.getState()).toMatchObject({ kind: 'ready', leftOut: [idAt(0), idAt(1)] });
    await store.send('four');
    expect(roles(engine, -1)).toEqual(['Be brief.', 'three', 'Yes.', 'four']);
  });

  test('the first exchange stays where that is the rule', async () => {
    const { store, engine } = await setUp(upTo(3));
    store.contextRule = 'keep-first';
    for (const text of ['one', 'two', 'three']) await store.send(text);
    expect(roles(engine, -1)).toEqual(['one', 'Yes.', 'three']);
  });

  test('without a rule, or where one message alone is too long, it fails in words', async () => {
    const { store } = await setUp(upTo(1));
    store.contextRule = 'refuse';
    await store.send('one');
    await store.send('two');
    expect(store.getState()).toMatchObject({
      kind: 'failed',
      problem: { code: 'context-full' },
      leftOut: [],
    });
    const other = await setUp(upTo(0));
    await other.store.send('one');
    expect(other.store.getState()).toMatchObject({ kind: 'failed', problem: { code: 'context-full' } });
  });
});
