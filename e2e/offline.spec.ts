/** The second visit needs no network. */
import { expect, test, type Page } from 'playwright/test';
import { DemoPage, PATIENCE } from './demo-page.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

/** Waits until the service worker has kept the page and the model whole. */
async function isKept(page: Page): Promise<void> {
  await page.waitForFunction(async () => {
    const cache = await caches.open('atomoe-demo');
    const urls = (await cache.keys()).map(({ url }) => url);
    const wanted = [
      'fable-omni-8m/model.safetensors',
      'fable-omni-8m/tokenizer.json',
      'fable-omni-8m/config.json',
    ];
    const hasWorker = urls.some((url) => /assets\/worker-[\w-]+\.js$/.test(url));
    return hasWorker && wanted.every((name) => urls.some((url) => url.endsWith(name)));
  });
}

test('after one story the page reloads and tells another without a network', async ({ page, context }) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await demo.setLength(8);
  await demo.tellAll();
  await isKept(page);

  await context.setOffline(true);
  await page.reload();
  await demo.ready();
  await demo.setLength(16);
  await demo.tellAll();
  expect(await demo.words.count()).toBeGreaterThan(3);

  // Ranges come out of the whole file in the cache, as a server would give them.
  const part = await page.evaluate(async () => {
    const response = await fetch('./models/fable-omni-8m/model.safetensors', {
      headers: { Range: 'bytes=8-23' },
    });
    return {
      status: response.status,
      range: response.headers.get('content-range'),
      text: await response.text(),
    };
  });
  expect(part.status).toBe(206);
  expect(part.range).toMatch(/^bytes 8-23\/\d+$/);
  expect(part.text).toMatch(/^\{"/);
  const absent = await page.evaluate(
    async () => (await fetch('./models/fable-omni-8m/no-such-file.json')).status,
  );
  expect(absent).toBe(404);

  // A model that was never loaded says so, and the page lives on.
  const model = page.getByLabel('Model', { exact: true });
  await model.selectOption('fable-moe-12m');
  await expect(page.getByRole('alert')).toContainText('could not be read', PATIENCE);
  await model.selectOption('fable-omni-8m');
  await demo.ready();
});
