/** A browser without WebGPU. */
import { expect, test } from 'playwright/test';
import { chromiumFlags, requireChromium } from '../scripts/chromium.mjs';
import { DemoPage } from './demo-page.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

const flags = chromiumFlags().filter((flag) => !/webgpu|Vulkan/i.test(flag));
test.use({
  launchOptions: {
    executablePath: requireChromium(),
    args: [...flags, '--disable-features=WebGPU', '--disable-gpu'],
  },
});

test('the CPU tells the story, and the page says why', async ({ page }) => {
  const demo = await (await new DemoPage(page).open({ device: 'auto' })).ready();
  await demo.setLength(4);
  await demo.tellAll();
  expect(await demo.words.count()).toBeGreaterThan(0);
  await expect(page.locator('#adapter')).toHaveText(/^CPU: WebAssembly SIMD .* · .*WebGPU/);
});

test('where only the GPU may, the page says so where the story would be, and offers the CPU', async ({
  page,
}) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await demo.tell.click();
  const alert = page.getByRole('alert');
  await expect(alert).toContainText('WebGPU');
  await expect(alert).toContainText('The CPU can write the story, too.');
  await expect(page.locator('#adapter')).toHaveText('WebGPU: not in this browser');
  await demo.setLength(4);
  await page.getByRole('button', { name: 'Tell it on the CPU' }).click();
  await demo.finished();
  expect(await demo.words.count()).toBeGreaterThan(0);
  await expect(page.locator('#adapter')).toHaveText(/^CPU: WebAssembly SIMD/);
});
