/**
 * Applications keep what they have in stores that wrap it in proxies: messages, options, and the engine itself.
 *
 * @module-tag full
 */
import { resolve } from 'node:path';
import type { reactive as Reactive } from '@vue/reactivity';
import type { observable as Observable } from 'mobx';
import { expect, test } from 'vitest';
import { createEngine, type Engine } from '../../src/engine/index.ts';
import { nodeFolder } from '../../src/io/node-file.ts';
import { connectEngine, hostEngine } from '../../src/worker/index.ts';

const MODEL = resolve(import.meta.dirname, '../../demo/public/models/fable-omni-8m');

/** A package of this folder's package.json. */
async function installed(name: string): Promise<object> {
  return import(/* @vite-ignore */ name).catch((cause: unknown) => {
    throw new Error(`${name} is not installed: run npm install in e2e/clients`, { cause });
  });
}

async function stores(): Promise<Record<string, <T extends object>(value: T) => T>> {
  const { reactive } = (await installed('@vue/reactivity')) as { reactive: typeof Reactive };
  const { observable } = (await installed('mobx')) as { observable: typeof Observable };
  return {
    vue: <T extends object>(value: T) => reactive(value) as T,
    mobx: <T extends object>(value: T) => observable(value),
  };
}

/** The engine behind a real message channel, as behind a worker. */
async function throughChannel(): Promise<Engine> {
  const { port1, port2 } = new MessageChannel();
  hostEngine(port2, createEngine, () => port2.close());
  return connectEngine(port1, { device: 'cpu' }).engine;
}

test.each([
  ['in the page', () => createEngine({ device: 'cpu' })],
  ['in a worker', throughChannel],
])('messages, options and the engine %s may live in a store', async (_, open) => {
  for (const [name, store] of Object.entries(await stores())) {
    const app = store({
      engine: await open(),
      messages: [{ role: 'user' as const, content: 'Once upon a time' }],
      options: { maxTokens: 2, temperature: 0, stop: ['#'] },
      load: { contextTokens: 24, streaming: { start: 'whole' as const } },
    });
    await app.engine.load(await nodeFolder(MODEL), app.load);
    expect(app.engine.model?.family, name).toBe('omnimoe');
    const kept = store({ session: app.engine.session() });
    let text = '';
    for await (const event of kept.session.generate(app.messages, app.options)) {
      if (event.kind === 'token') text += event.text;
    }
    expect(text, name).toBe(', there');
    expect(kept.session.tokens, name).toBeGreaterThan(4);
    const request = store({ messages: app.messages, max_tokens: 2, temperature: 0 });
    const whole = await app.engine.chat.completions.create(request);
    expect(whole.choices[0]?.message.content, name).toBe(', there');
    const answer = store({ stream: await app.engine.chat.completions.create({ ...request, stream: true }) });
    let streamed = '';
    for await (const { choices } of answer.stream) streamed += choices[0]?.delta.content ?? '';
    expect(streamed, name).toBe(', there');
    kept.session.dispose();
    app.engine.dispose();
  }
});
