/** OpenAI's own client in a page that knows `/v1` and nothing else: a service worker passes on what it asks. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test, type BrowserContext, type Page } from 'playwright/test';
import type { ChatCompletionStream, TextCompletion } from '../src/engine/api.ts';
import { build } from 'vite';
import { root, serve, type Site } from './packed.ts';
import { visitorBrowsers, type Visitor } from './visitor.ts';

test.describe.configure({ mode: 'serial', timeout: 300_000 });

const WORKER = `
  import { answerV1, handlesV1 } from '/dist/service-worker.js';
  self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
  self.addEventListener('install', () => self.skipWaiting());
  self.addEventListener('fetch', (event) => {
    if (handlesV1(event.request)) event.respondWith(answerV1(event.request));
  });`;

const REGISTER = `
  await navigator.serviceWorker.register('/sw.js', { type: 'module' });
  await navigator.serviceWorker.ready;
  while (!navigator.serviceWorker.controller) await new Promise((wake) => setTimeout(wake, 20));`;

/** A page with an engine. */
const ENGINE = `<!doctype html><title>engine</title><script type="module">
  import { createEngine } from '/dist/index.js';
  import { openaiFetch, serveV1 } from '/dist/openai.js';
  ${REGISTER}
  const engine = await createEngine({ device: 'cpu', model: location.origin + '/model/', contextTokens: 256 });
  serveV1(openaiFetch(engine));
  document.title = 'ready';
</script>`;

/** A page that has none. */
const CLIENT = `<!doctype html><title>client</title><script type="module">
  import OpenAI from '/openai/index.mjs';
  ${REGISTER}
  const baseURL = location.origin + '/v1';
  globalThis.client = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0, dangerouslyAllowBrowser: true });
  document.title = 'ready';
</script>`;

/** The least worker, as one script: Firefox may have no modules there. */
const LISTENER = `import { listenV1 } from '${join(root, 'dist/service-worker.js')}'; listenV1();`;

/** A page that nobody has been to, and that asks at once. */
const FIRST = `<!doctype html><title>first</title><script type="module">
  import { createEngine } from '/dist/index.js';
  import { openaiFetch, serveV1, v1Ready } from '/dist/openai.js';
  const told = { isControlled: navigator.serviceWorker.controller !== null };
  told.before = (await fetch('/v1/models')).status;
  await navigator.serviceWorker.register('/first.js');
  await v1Ready();
  const engine = await createEngine({ device: 'cpu', model: location.origin + '/model/', contextTokens: 256 });
  serveV1(openaiFetch(engine));
  const body = JSON.stringify({ prompt: 'Once upon a time', max_tokens: 4, temperature: 0 });
  const response = await fetch('/v1/completions', { method: 'POST', body });
  told.after = response.status;
  told.text = (await response.json()).choices?.[0].text;
  globalThis.told = told;
</script>`;

/** What the client's page has, as its tests use it. */
interface ClientPage {
  readonly client: {
    readonly chat: { readonly completions: { create(asked: object): Promise<ChatCompletionStream> } };
    readonly completions: { create(asked: object): Promise<TextCompletion> };
  };
  seen: number; // chunks of the stream that is read
}

const ASKED = {
  model: 'any',
  messages: [{ role: 'user' as const, content: 'Once upon a time' }],
  temperature: 0,
  max_tokens: 4,
};

let folder: string;
let site: Site;

test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-v1-'));
  const files = { 'sw.js': WORKER, 'engine.html': ENGINE, 'client.html': CLIENT, 'first.html': FIRST };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  await writeFile(join(folder, 'entry.js'), LISTENER);
  const lib = {
    entry: join(folder, 'entry.js'),
    formats: ['iife' as const],
    name: 'worker',
    fileName: () => 'first.js',
  };
  await build({
    configFile: false,
    root: folder,
    logLevel: 'error',
    build: { lib, outDir: folder, emptyOutDir: false },
  });
  site = await serve({
    '/dist/': join(root, 'dist'),
    '/openai/': join(root, 'e2e/clients/node_modules/openai'),
    '/model/': join(root, 'demo/public/models/fable-omni-8m'),
    '/': folder,
  });
});

test.afterAll(async () => {
  await site.close();
  await rm(folder, { recursive: true });
});

async function open(context: BrowserContext, name: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${site.url}/${name}.html`);
  await expect(page).toHaveTitle('ready', { timeout: 60_000 });
  return page;
}

/** Streams a reply, and says what came of it. */
function stream(page: Page, maxTokens: number, stopAfter: number) {
  return page.evaluate(
    async ([asked, stopAfter]) => {
      const told = { count: 0, text: '', error: '' };
      try {
        const page = globalThis as unknown as ClientPage;
        const stream = await page.client.chat.completions.create({ ...asked, stream: true });
        for await (const chunk of stream) {
          told.count += 1;
          told.text += chunk.choices[0]?.delta.content ?? '';
          page.seen = told.count;
          if (told.count === stopAfter) stream.controller.abort();
        }
      } catch (error) {
        told.error = String(error);
      }
      return told;
    },
    [{ ...ASKED, max_tokens: maxTokens }, stopAfter] as const,
  );
}

test('code that knows /v1 is answered by the tab that has an engine, and told where none has', async ({
  context,
}) => {
  const client = await open(context, 'client');
  const refused = await stream(client, 4, 0);
  expect(refused.error).toMatch(/503 no page of this site has a model; open one that loads it/);

  const engine = await open(context, 'engine');
  expect(await stream(client, 4, 0)).toMatchObject({ text: ', there was a', error: '' });
  const listed = await client.evaluate(async () => (await (await fetch('/v1/models')).json()).data.length);
  expect(listed).toBe(1);
  const text = await client.evaluate(async () => {
    const { client } = globalThis as unknown as ClientPage;
    const { choices } = await client.completions.create({
      model: 'any',
      prompt: 'Once upon a time',
      max_tokens: 4,
      temperature: 0,
    });
    return choices[0]?.text;
  });
  expect(text).toBe(', there was a');

  // A reply that is stopped ends at the engine: the next one does not wait for it.
  const stopped = await stream(client, 200, 3);
  expect(stopped.count).toBeLessThan(10);
  expect((await stream(client, 4, 0)).text).toBe(', there was a');

  // A second tab without an engine.
  const second = await open(context, 'client');
  expect((await stream(second, 4, 0)).text).toBe(', there was a');
  await second.close();

  const broken = stream(client, 200, 0);
  await client.waitForFunction(() => (globalThis as unknown as ClientPage).seen >= 3);
  await engine.close();
  expect((await broken).error).toMatch(/the page with the model was closed/);
  expect((await stream(client, 4, 0)).error).toMatch(/503 no page of this site has a model/);
});

/** What the page says of a first visit. */
const FIRST_TOLD = { isControlled: false, before: 404, after: 200, text: ', there was a' };

interface FirstPage {
  told?: object;
}

test('a first visit is answered without a reload, and one after a reload that passes by the worker', async ({
  context,
}) => {
  const page = await context.newPage();
  const told = () =>
    page.waitForFunction(() => (globalThis as FirstPage).told).then((found) => found.jsonValue());
  await page.goto(`${site.url}/first.html`);
  expect(await told()).toEqual(FIRST_TOLD);
  const cdp = await context.newCDPSession(page);
  await cdp.send('Page.reload', { ignoreCache: true });
  await page.waitForFunction(() => document.title === 'first' && !(globalThis as FirstPage).told);
  expect(await told()).toEqual(FIRST_TOLD);
  await page.reload();
  expect(await told()).toEqual({ ...FIRST_TOLD, isControlled: true, before: 503 });
});

for (const [name, browser] of Object.entries(visitorBrowsers())) {
  test(`${name}: a first visit is answered without a reload`, async () => {
    test.skip('missing' in browser && !process.env['CI'], 'missing' in browser ? browser.missing : '');
    if ('missing' in browser) throw new Error(browser.missing);
    const visitor: Visitor = await browser.open();
    console.log(visitor.version);
    try {
      await visitor.goto(`${site.url}/first.html`);
      const told = () => visitor.evaluate(() => (globalThis as FirstPage).told ?? null);
      await expect.poll(told, { timeout: 120_000 }).toEqual(FIRST_TOLD);
    } finally {
      await visitor.close();
    }
  });
}
