/** The page by plain http from a host that is not this machine: browsers then keep WebGPU, storage and threads from it. */
import AxeBuilder from '@axe-core/playwright';
import { join } from 'node:path';
import { expect, test } from 'playwright/test';
import { chromiumFlags, requireChromium } from '../scripts/chromium.mjs';
import { DemoPage, PATIENCE } from './demo-page.ts';
import { ModelServer } from './model-server.ts';
import { root } from './packed.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

const HOST = 'insecure.example';

test.use({
  launchOptions: {
    executablePath: requireChromium(),
    args: [...chromiumFlags(), `--host-resolver-rules=MAP ${HOST} 127.0.0.1`],
  },
});

let server: ModelServer;

test.beforeAll(async () => {
  server = await ModelServer.open({ '/': join(root, 'dist/demo') });
});

test.afterAll(() => server.stop());

const address = (): string => server.url.replace('127.0.0.1', HOST);

test('an insecure page says so before anything is pressed, and the CPU tells the story', async ({ page }) => {
  const demo = await new DemoPage(page).open({ device: 'auto' }, address());
  expect(await page.evaluate(() => [isSecureContext, 'gpu' in navigator, 'storage' in navigator])).toEqual([
    false,
    false,
    false,
  ]);
  await expect(page.locator('#adapter')).toContainText('only on secure pages');
  await expect(page.locator('#hint')).toContainText(
    '17 MB for this visit: this browser keeps no files of the page.',
  );
  await demo.setLength(4);
  await demo.tellAll();
  expect(await demo.words.count()).toBeGreaterThan(0);
  await expect(page.locator('#adapter')).toHaveText(
    /^CPU: WebAssembly SIMD .* · WebGPU is only on secure pages$/,
  );
  await demo.show('Memory');
  await expect(page.locator('#kept-total')).toContainText('each visit downloads its model anew');
  expect(demo.violations).toEqual([]);
});

test('where only the GPU may, it names the address that would do, and offers the CPU', async ({ page }) => {
  const demo = await new DemoPage(page).open({ device: 'gpu' }, address());
  await demo.tell.click();
  const alert = page.getByRole('alert');
  await expect(alert).toContainText('Browsers let only secure pages use the graphics card.', PATIENCE);
  await expect(alert).toContainText('begins with https');
  await expect(page.locator('#adapter')).toHaveText('WebGPU: only on secure pages');
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  await demo.setLength(4);
  await page.getByRole('button', { name: 'Tell it on the CPU' }).click();
  await demo.finished();
  expect(await demo.words.count()).toBeGreaterThan(0);
});
