/** Firefox and WebKit as people have them: no WebGPU, so the CPU computes; element, worker, threads and files as in Chromium. */
import { join } from 'node:path';
import { expect, test } from 'playwright/test';
import { ModelServer } from './model-server.ts';
import { goldenContinuation, root } from './packed.ts';
import { FABLE, openWorkplace } from './streaming-lab.ts';
import type { lab as Lab } from './streaming-page/main.ts';
import { visitorBrowsers, type Visitor } from './visitor.ts';

// A busy machine: only a hang takes this long.
test.describe.configure({ timeout: 300_000 });

const PATIENCE = { timeout: 150_000 };

/** The text of an element of the page, or of a shadow tree within it. */
function textOf(visitor: Visitor, selector: string, host = ''): Promise<string> {
  return visitor.evaluate(
    (wanted, within) => {
      const tree = within ? document.querySelector(within)?.shadowRoot : document;
      return [...(tree?.querySelectorAll(wanted) ?? [])].map(({ textContent }) => textContent).join('\n');
    },
    selector,
    host,
  );
}

/** Clicks on the first button that is named so and may be pressed. */
async function click(visitor: Visitor, name: string, host = ''): Promise<void> {
  const press = () =>
    visitor.evaluate(
      (wanted, within) => {
        const tree = within ? document.querySelector(within)?.shadowRoot : document;
        const buttons = [...(tree?.querySelectorAll('button') ?? [])];
        const found = buttons.find((button) => button.textContent?.trim() === wanted);
        if (!found || found.disabled || found.ariaDisabled === 'true') return false;
        found.click();
        return true;
      },
      name,
      host,
    );
  await expect.poll(press, PATIENCE).toBe(true);
}

type AnyFunction = (...args: never[]) => unknown;

/** Calls a function of the page's lab. */
function call<N extends keyof typeof Lab>(
  visitor: Visitor,
  name: N,
  ...args: Parameters<(typeof Lab)[N]>
): Promise<Awaited<ReturnType<(typeof Lab)[N]>>> {
  const run = (wanted: string, given: unknown[]) => {
    const { lab } = globalThis as unknown as { lab: Record<string, AnyFunction> };
    return lab[wanted]?.(...(given as never[]));
  };
  return visitor.evaluate(run, name as string, args as unknown[]) as never;
}

for (const [name, browser] of Object.entries(visitorBrowsers())) {
  test.describe(name, () => {
    test.describe.configure({ mode: 'serial' });
    test.skip('missing' in browser && !process.env['CI'], 'missing' in browser ? browser.missing : '');

    let visitor: Visitor;

    test.beforeAll(async () => {
      if ('missing' in browser) throw new Error(browser.missing);
      visitor = await browser.open();
      console.log(visitor.version);
    });

    test.afterAll(() => visitor?.close());

    test(`${name}: the demo tells a story on the CPU, in its worker`, async ({ baseURL }) => {
      await visitor.goto(`${baseURL}/?threads=2`);
      await expect.poll(() => textOf(visitor, '.talk'), PATIENCE).toContain('Press “Tell me a story”');
      expect(await visitor.evaluate(() => 'gpu' in navigator)).toBe(false);
      expect(await visitor.evaluate(() => crossOriginIsolated)).toBe(true);
      await click(visitor, 'Tell me a story');
      await expect.poll(() => textOf(visitor, '#stats'), PATIENCE).toMatch(/seed \d+/);
      expect(await textOf(visitor, '#adapter')).toMatch(/^CPU: WebAssembly SIMD .* · .*WebGPU/);
      expect(await textOf(visitor, '#stats')).toMatch(/[\d.]+ tok\/s/);
      expect((await textOf(visitor, '.word')).length).toBeGreaterThan(100);
    });

    test(`${name}: the element replies`, async ({ baseURL }) => {
      const golden = await goldenContinuation(join(root, 'demo/public/models/fable-omni-8m'));
      await visitor.goto(`${baseURL}/chat.html`);
      await visitor.evaluate(() => {
        const chat = document.querySelector('atomoe-chat');
        Object.assign(chat ?? {}, { generateOptions: { temperature: 0, maxTokens: 32 } });
        chat?.addEventListener('chat-done', (event) => {
          document.title = (event as CustomEvent<{ reason: string }>).detail.reason;
        });
      });
      await click(visitor, 'Load the model', 'atomoe-chat');
      await visitor.evaluate((prompt) => {
        const box = document.querySelector('atomoe-chat')?.shadowRoot?.querySelector('textarea');
        if (!box) return;
        box.value = prompt;
        box.dispatchEvent(new Event('input', { bubbles: true }));
      }, golden.prompt);
      await click(visitor, 'Send', 'atomoe-chat');
      await expect
        .poll(() => visitor.evaluate(() => document.title), PATIENCE)
        .toMatch(/^(length|eos|stop)$/);
      // The last words are painted in the frame after the event.
      const reply = () => textOf(visitor, 'article', 'atomoe-chat');
      await expect.poll(async () => (await reply()).length).toBeGreaterThan(golden.prompt.length + 60);
      expect(golden.prompt + golden.continuation).toContain((await reply()).trim());
    });

    // WebKitGTK has no access handles, and a driven session is a private one, in which Safari has no storage either.
    const keepsFiles = name === 'firefox';
    const onDisk = keepsFiles ? 'is kept, and talks again without a network' : 'talks where nothing is kept';
    test(`${name}: a model streams into few slots, ${onDisk}`, async () => {
      const place = await openWorkplace();
      const server = await ModelServer.open({ '/fable/': FABLE });
      const site = await ModelServer.open({ '/': place.page });
      const { prompt, continuation } = await goldenContinuation(FABLE);
      const load = async () => {
        await visitor.goto(`${site.url}/index.html`);
        await expect.poll(() => visitor.evaluate(() => 'lab' in globalThis), PATIENCE).toBe(true);
        const options = { streaming: { slotsPerLayer: 8 } };
        const loaded = await call(visitor, 'load', { url: `${server.url}/fable/`, where: 'worker', options });
        expect(loaded).toMatchObject({ code: '' });
        expect((await call(visitor, 'adapter'))?.device).toBe('cpu');
      };
      const tell = async () => {
        const told = await call(visitor, 'tell', { prompt, maxTokens: 24, isNew: true });
        expect(told).toMatchObject({ code: '' });
        expect(continuation.startsWith(told.text)).toBe(true);
        expect(told.text.length).toBeGreaterThan(20);
      };
      try {
        await load();
        await tell();
        const report = await call(visitor, 'report');
        expect(report).toMatchObject({ slotsPerLayer: 8, isComplete: false });
        expect(report?.evictions).toBeGreaterThan(0);
        expect(report?.disk?.why).toMatch(keepsFiles ? /^$/ : /no file storage/);
        if (!keepsFiles) return;
        // Leaving ends the worker: what was read last is written a moment later.
        const storedBytes = async () => (await call(visitor, 'report'))?.disk?.storedBytes ?? 0;
        for (let before = -1, now = 0; now !== before; before = now, now = await storedBytes())
          await new Promise((wake) => setTimeout(wake, 500));
        await call(visitor, 'dispose');
        await server.stop();
        await load();
        await tell();
      } finally {
        await call(visitor, 'dispose').catch(() => {});
        await Promise.all([server.stop(), site.stop(), place.close()]);
      }
    });
  });
}
