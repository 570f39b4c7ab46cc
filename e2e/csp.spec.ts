/** A strict content policy with Trusted Types: in force, and never violated. */
import { expect, test } from 'playwright/test';
import { DemoPage, openElementPage, PATIENCE, watchPolicy } from './demo-page.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

test('the policy is in force: inline styles, strings as HTML and strange worker scripts are refused @quick', async ({
  page,
}) => {
  const demo = await (await new DemoPage(page).open()).ready();
  const refused = await page.evaluate(() => {
    const attempt = (run: () => void): string => {
      try {
        run();
        return 'allowed';
      } catch (error) {
        return (error as Error).name;
      }
    };
    const element = document.createElement('p');
    return {
      html: attempt(() => (element.innerHTML = '<b>bold</b>')),
      worker: attempt(() => new Worker('./sw.js')),
      policy: attempt(() => {
        const { trustedTypes } = globalThis as unknown as {
          trustedTypes: { createPolicy(name: string, rules: object): void };
        };
        trustedTypes.createPolicy('anything', {});
      }),
    };
  });
  expect(refused).toEqual({ html: 'TypeError', worker: 'TypeError', policy: 'TypeError' });
  await expect.poll(() => demo.violations.length).toBeGreaterThan(0);
});

test('one script tag and one element suffice on a page that allows nothing else', async ({ page }) => {
  const violations: string[] = [];
  await watchPolicy(page, violations);
  const events: string[] = [];
  await page.exposeFunction('reportEvent', (name: string) => events.push(name));
  await page.addInitScript(() => {
    const { reportEvent } = globalThis as unknown as { reportEvent(name: string): Promise<void> };
    for (const name of ['chat-send', 'chat-progress', 'chat-token', 'chat-done', 'chat-error']) {
      addEventListener(name, () => void reportEvent(name));
    }
  });
  const chat = await openElementPage(page);
  await chat.getByRole('button', { name: 'Load the model' }).click();
  await chat.getByRole('textbox').fill('Once upon a time');
  await expect(chat.getByRole('button', { name: 'Send' })).toBeEnabled(PATIENCE);
  await chat.getByRole('textbox').press('Enter');
  const story = chat.getByRole('article');
  await expect(story).toContainText(/^Once upon a time.{12}/s, PATIENCE);
  await expect.poll(() => events).toContain('chat-token');
  await chat.getByRole('textbox').press('Escape');
  await expect(story).not.toHaveAttribute('aria-busy', 'true');
  await expect
    .poll(() => new Set(events))
    .toEqual(new Set(['chat-send', 'chat-progress', 'chat-token', 'chat-done']));
  expect(violations).toEqual([]);
});

test('a policy that forbids WebAssembly is named, and the reference tells the story', async ({ page }) => {
  await page.route('**/?*', async (route) => {
    const response = await route.fetch();
    const html = (await response.text()).replace(" 'wasm-unsafe-eval'", '');
    await route.fulfill({ response, body: html });
  });
  const demo = await (await new DemoPage(page).open({ device: 'cpu', worker: '0' })).ready();
  await demo.setLength(4);
  await demo.tellAll();
  await expect(page.locator('#adapter')).toHaveText(/^CPU: plain TypeScript.*'wasm-unsafe-eval'.*script-src/);
  expect(await demo.words.count()).toBeGreaterThan(0);
});
