/** The story page before and beside the story: the recording, what a first visit costs, the board, the sheet, the theme. */
import AxeBuilder from '@axe-core/playwright';
import { gzipSync } from 'node:zlib';
import { expect, test, type Page } from 'playwright/test';
import { readFile } from 'node:fs/promises';
import { DemoPage, PATIENCE } from './demo-page.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

/** Script and style of a first visit, as a server sends them. */
const MOST_BYTES = 100_000;

const LAST_WORDS = 'the other things.';

/** How far parts of the page moved by themselves: the sum of all layout shifts so far. */
async function watchShifts(page: Page): Promise<() => Promise<number>> {
  await page.addInitScript(() => {
    const shifts = { sum: 0 };
    Object.assign(globalThis, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { value, hadRecentInput } = entry as PerformanceEntry & {
          value: number;
          hadRecentInput: boolean;
        };
        if (!hadRecentInput) shifts.sum += value;
      }
    }).observe({ type: 'layout-shift', buffered: true });
  });
  return () => page.evaluate(() => (globalThis as unknown as { shifts: { sum: number } }).shifts.sum);
}

test('a first visit is alive before anything is downloaded: a recording, 100 kB, nothing moves @quick', async ({
  page,
}) => {
  const bodies: { url: string; bytes: number }[] = [];
  page.on('response', async (response) => {
    const kind = response.request().resourceType();
    if (!['script', 'stylesheet', 'fetch', 'xhr', 'other'].includes(kind)) return;
    const body = await response.body().catch(() => Buffer.alloc(0));
    bodies.push({ url: response.url(), bytes: gzipSync(body).byteLength });
  });
  const shifts = await watchShifts(page);
  const demo = await (await new DemoPage(page).open()).ready();
  await expect(demo.stage).toContainText(/Recording\s+[\d.]+ s on one CPU thread, shown \d+ × slower\./);
  await expect(demo.story).toContainText(LAST_WORDS);
  await expect(page.getByRole('button', { name: 'Play again' })).toBeVisible();
  expect(await demo.words.count()).toBe(0); // none of a story that was told here

  expect(page.workers()).toEqual([]);
  expect(await page.evaluate(() => navigator.serviceWorker.getRegistrations())).toEqual([]);
  const urls = bodies.map(({ url }) => url);
  expect(urls.filter((url) => url.includes('/models/') || /worker|engine|planning/.test(url))).toEqual([]);
  const bytes = bodies.reduce((sum, each) => sum + each.bytes, 0);
  console.log(`first visit: ${urls.length} files of script and style, ${bytes} bytes gzipped`);
  expect(bytes).toBeLessThan(MOST_BYTES);
  expect(await shifts()).toBeLessThan(0.005);

  // The recording is not a picture of a page: its words and experts answer.
  const word = demo.story.locator('.word').nth(12);
  await word.hover();
  await expect(demo.experts).toContainText(`“${await word.textContent()}” was made by`);
  await page.getByRole('button', { name: 'Play again' }).click();
  await expect(demo.story).not.toContainText(LAST_WORDS);
  await page.getByRole('button', { name: 'Pause' }).click();
  const paused = await demo.text();
  await page.waitForTimeout(500);
  expect(await demo.text()).toBe(paused);
  await page.getByRole('button', { name: 'Go on' }).click();
  await expect(demo.story).toContainText(LAST_WORDS);
  expect(demo.strangers).toEqual([]);
  expect(demo.violations).toEqual([]);
});

test('with reduced motion the recording is there at once', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const demo = await (await new DemoPage(page).open()).ready();
  await expect(page.getByRole('button', { name: 'Play again' })).toBeVisible();
  expect(await demo.text()).toContain(LAST_WORDS);
  await expect(page.locator('#caption')).toHaveText(/^[\d.]+ s on one CPU thread\.$/);
});

test('the board has one panel at a time, by pointer and by arrow keys', async ({ page }) => {
  await (await new DemoPage(page).open()).ready();
  const tab = (name: string) => page.getByRole('tab', { name });
  const panel = (name: string) => page.getByRole('tabpanel', { name });
  await expect(panel('Experts')).toBeVisible();
  await tab('Memory').click();
  await expect(panel('Memory')).toBeVisible();
  await expect(panel('Memory')).toContainText('Nothing loaded yet.');
  await expect(page.getByRole('tabpanel')).toHaveCount(1);
  await page.keyboard.press('ArrowRight');
  await expect(tab('Report')).toBeFocused();
  await expect(panel('Report')).toBeVisible();
  await page.keyboard.press('ArrowRight');
  await expect(tab('Experts')).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('End');
  await expect(tab('Report')).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Tab');
  await expect(panel('Report')).toBeFocused();
});

test('on a phone the board is a sheet: its top shows, a press opens it, Escape closes it', async ({
  page,
}) => {
  await page.setViewportSize({ width: 360, height: 720 });
  const demo = await (await new DemoPage(page).open()).ready();
  const board = page.locator('#board');
  const top = async () => (await board.boundingBox())?.y ?? 0;
  const closed = await top();
  expect(closed).toBeGreaterThan(400);
  expect(closed).toBeLessThan(600);
  const grip = page.getByRole('button', { name: 'All of this panel' });
  await grip.click();
  await expect.poll(top).toBeLessThan(150);
  await expect(grip).toHaveAttribute('aria-expanded', 'true');
  await page.keyboard.press('Escape');
  await expect.poll(top).toBe(closed);
  await expect(grip).toBeFocused();
  await demo.show('Memory');
  await expect.poll(top).toBeLessThan(150);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  }
});

test('the report says what runs, kernel by kernel, and is copied as Markdown', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const demo = await (await new DemoPage(page).open()).ready();
  await demo.show('Report');
  const report = page.getByRole('tabpanel', { name: 'Report' });
  await expect(report).toContainText('Browser');
  await demo.setLength(4);
  await demo.tellAll();
  await expect(report).toContainText(/Last reply.*4 of the reply.*One token, by kernel.*rms-norm/s, PATIENCE);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  }
  await report.getByRole('button', { name: 'Copy as Markdown' }).click();
  await expect(report.getByRole('status')).toHaveText('Copied.');
  const markdown = await page.evaluate(() => navigator.clipboard.readText());
  expect(markdown).toMatch(/### Device\n\n\| \| \|\n\| --- \| --- \|\n\| Runs on \| GPU, /);
  expect(markdown).toContain('### One token, by kernel');
});

test('same words, checked: every logit is compared on the visitor’s machine, and the result can be kept', async ({
  page,
}) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await page.getByLabel('Model', { exact: true }).selectOption('fable-moe-12m');
  await expect(demo.story).toContainText('24 MB');
  await demo.setLength(30);
  await demo.tellAll();
  await demo.show('Memory');
  const size = await page.locator('#budget-size').textContent();
  await page.getByRole('button', { name: 'Check it on this machine' }).click();
  const check = page.getByRole('region', { name: 'Same words, checked' });
  await expect(check.getByRole('status')).toContainText(
    'The same: 98,304 logits are equal bit for bit with all experts in memory (32 of 32 places a layer)',
    PATIENCE,
  );
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  const download = page.waitForEvent('download');
  await check.getByRole('button', { name: 'Download it' }).click();
  const report = JSON.parse(await readFile(await (await download).path(), 'utf8'));
  expect(report).toMatchObject({ format: 'atomoe-self-test-1', isSame: true, against: 'all in memory' });
  expect(report.runs).toHaveLength(3);
  // The memory is what it was, and the next story has it.
  await expect(page.locator('#budget-size')).toHaveText(size ?? '');
  await demo.tellAll();
  expect(demo.violations).toEqual([]);
});

test('the theme is the system’s until one is chosen, which is remembered', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await (await new DemoPage(page).open()).ready();
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await background();
  expect(dark).not.toBe(light);
  await page.getByRole('radio', { name: 'Light' }).check();
  expect(await background()).toBe(light);
  await page.reload();
  expect(await background()).toBe(light);
  await expect(page.getByRole('radio', { name: 'Light' })).toBeChecked();
  await page.emulateMedia({ colorScheme: 'light' });
  await page.getByRole('radio', { name: 'Dark' }).check();
  expect(await background()).toBe(dark);
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  await page.getByRole('radio', { name: 'System' }).check();
  expect(await background()).toBe(light);
});

test('what has not changed is answered with the headers of isolation, too', async ({ request, baseURL }) => {
  const page = `${baseURL}/index.html`;
  const { etag = '' } = (await request.get(page)).headers();
  const again = await request.get(page, { headers: { 'if-none-match': etag } });
  expect(again.status()).toBe(304);
  expect(again.headers()['cross-origin-embedder-policy']).toBe('require-corp');
  expect(again.headers()['cross-origin-opener-policy']).toBe('same-origin');
});
