/** What people see of expert streaming: the slider, the picture of the slots, start now, and what is kept. */
import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Locator, type Page } from 'playwright/test';
import { DemoPage, PATIENCE } from './demo-page.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

class StreamingPage extends DemoPage {
  readonly slider = this.page.getByRole('slider', { name: 'Memory for the model' });
  readonly meaning = this.page.locator('#budget-meaning');
  readonly slots = this.page.locator('atomoe-slots');
  readonly kept = this.page.getByRole('region', { name: 'Kept on this device' });

  /** Opens the page with the model whose experts are of the usual kind. */
  async openMoe(): Promise<this> {
    await (await this.open()).ready();
    await this.page.getByLabel('Model', { exact: true }).selectOption('fable-moe-12m');
    await expect(this.story).toContainText('24 MB');
    await this.show('Memory');
    return this;
  }

  async setOptions(options: Readonly<Record<string, number>>): Promise<void> {
    for (const [label, value] of Object.entries(options)) await this.set(label, value);
  }

  /** The picture asks the engine only while it is seen. */
  async see(): Promise<this> {
    await this.show('Memory');
    await this.slots.scrollIntoViewIfNeeded();
    return this;
  }

  /** Waits until all of the small model is kept. */
  async isKept(): Promise<Locator> {
    await this.see();
    const item = this.kept.getByRole('listitem').filter({ hasText: 'fable-omni-8m' });
    await expect(item).toHaveText('fable-omni-8m17 MBDelete', PATIENCE);
    return item;
  }

  /** What the table under the picture says: all columns of all layers, but the last one. */
  async table(): Promise<number[][]> {
    const rows = await this.slots.locator('tbody tr').allInnerTexts();
    return rows.map((row) =>
      row
        .split('\t')
        .slice(0, 5)
        .map((cell) => Number(cell)),
    );
  }
}

async function violations(page: Page): Promise<string[]> {
  const all: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations: found } = await new AxeBuilder({ page }).analyze();
    all.push(
      ...found.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes.map(({ html }) => html.slice(0, 120))}`),
    );
  }
  return all;
}

/** Whether the story covers a section below it at any place that the page can be scrolled to. */
async function isCovered(page: Page, section: string): Promise<boolean> {
  return page.evaluate(async (id) => {
    const [talk, below] = [document.querySelector('.talk'), document.querySelector(id)];
    if (!talk || !below) throw new Error('the page lacks a section');
    let covered = false;
    for (let y = 0; y < document.documentElement.scrollHeight; y += 60) {
      scrollTo(0, y);
      await new Promise(requestAnimationFrame);
      covered ||= talk.getBoundingClientRect().bottom > below.getBoundingClientRect().top;
    }
    scrollTo(0, 0);
    return covered;
  }, section);
}

test('another model shows none of the figures of the one before, and the story covers nothing', async ({
  page,
}) => {
  const demo = new StreamingPage(page);
  await (await demo.open()).ready();
  await demo.show('Memory');
  await demo.setLength(12);
  await demo.tellAll();
  await expect(page.locator('#memory')).toContainText('of GPU memory in use');
  expect(await isCovered(page, '#how')).toBe(false);
  expect(await isCovered(page, '#use')).toBe(false);

  // The small model's slider has little room: the page says so and offers the other one.
  await expect(page.locator('#budget-hint')).toContainText('so the slider does little');
  await page.getByRole('button', { name: 'Choose Fable MoE 12M' }).click();
  await expect(demo.story).toContainText('24 MB', PATIENCE);
  await expect(demo.stats).toHaveText('');
  await expect(page.getByText('Nothing loaded yet.')).toBeVisible();
  await expect(page.locator('#memory ul')).toBeHidden();
  await expect(page.locator('#slots-section')).toBeHidden();

  // What is still in memory is shown again with its own model.
  await page.getByLabel('Model', { exact: true }).selectOption('fable-omni-8m');
  await expect(page.locator('#memory')).toContainText('of GPU memory in use');
});

for (const [name, temperature] of [
  ['greedy @quick', 0],
  ['seeded', 0.8],
] as const) {
  test(`moving the slider in mid-story changes no word: ${name}`, async ({ page }) => {
    const demo = await new StreamingPage(page).openMoe();
    // Long enough that a busy machine still moves the slider in mid-story.
    await demo.setOptions({ Temperature: temperature, 'Most tokens per reply': 200, Seed: 7 });
    await demo.tellAll();
    const still = await demo.text();
    await expect(demo.meaning).toHaveText('There is room for all experts.');

    await demo.tell.click();
    await demo.begun(3);
    await demo.slider.fill('10');
    const wordsThen = await demo.words.count();
    await expect(demo.meaning).toHaveText(/^\d+ of 32 experts per layer have a place, [\d.]+ × what a token/);
    await demo.see();
    await expect(demo.words.nth(wordsThen + 3)).toBeVisible(PATIENCE); // the text goes on
    // Counted since the slider moved: with room for all again, nothing may be missing for the rest.
    await expect(demo.slots).toContainText(/Here when needed\d+ %.*Fetched per token[\d.]+ (MB|kB|bytes)/s);
    await demo.slider.fill('60');
    await demo.finished();
    expect(await demo.text()).toBe(still);

    await expect(page.locator('#budget-problem')).toBeHidden();
    expect(demo.violations).toEqual([]);
  });
}

test('the picture has a row per layer, says the same as a table, and follows the slider by keyboard', async ({
  page,
}) => {
  const demo = await new StreamingPage(page).openMoe();
  await demo.setOptions({ 'Most tokens per reply': 30 });
  await demo.tellAll();
  await demo.slider.focus();
  await page.keyboard.press('Home');
  await expect(demo.slider).toHaveAttribute('aria-valuetext', /^[\d.]+ MB of 30 MB, 4 places per layer$/);
  await expect(demo.meaning).toHaveText(
    '4 of 32 experts per layer have a place, 1.0 × what a token needs at most.',
  );
  await page.keyboard.press('ArrowRight');
  await expect(demo.slider).toBeFocused();

  await demo.tellAll();
  await demo.see();
  const picture = demo.slots.getByRole('img');
  await expect(picture).toHaveAccessibleName(/6 layers of 32 experts, with [4-6] places each\. \d+ are here/);
  await demo.slots.getByText('The same in numbers, per layer').click();
  await expect
    .poll(async () => (await demo.table()).map(([layer, ...units]) => [layer, sum(units)]))
    .toEqual([0, 1, 2, 3, 4, 5].map((layer) => [layer, 32]));
  for (const [, here] of await demo.table()) expect(here).toBeLessThanOrEqual(6);
  expect(await violations(page)).toEqual([]);

  await demo.slider.focus();
  await page.keyboard.press('End');
  await expect(demo.slider).toHaveAttribute('aria-valuetext', /, room for all experts$/);
  await expect(demo.slots).toContainText('Everything is here: nothing has to be fetched.', PATIENCE);
  expect((await demo.table()).map(([, here]) => here)).toEqual([32, 32, 32, 32, 32, 32]);
});

test('while it streams, axe finds nothing, and colours are not all that tells states apart', async ({
  page,
}) => {
  const demo = await new StreamingPage(page).openMoe();
  await demo.setOptions({ 'Most tokens per reply': 200 });
  await demo.tell.click();
  await demo.begun();
  await demo.see();
  await demo.slider.fill('20');
  await expect(demo.meaning).toContainText('of 32 experts');
  expect(await violations(page)).toEqual([]);
  await page.emulateMedia({ forcedColors: 'active', reducedMotion: 'reduce' });
  const painted = await demo.slots.locator('canvas').evaluate((canvas: HTMLCanvasElement) => {
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  });
  expect(painted).toBeGreaterThan(2);
  await page.keyboard.press('Escape');
  await demo.finished();
});

test('start now says what comes before the first word, and what then came; the other way fetches all', async ({
  page,
}) => {
  const demo = await new StreamingPage(page).openMoe();
  const now = page.getByRole('radio', {
    name: /^Start now: at most [\d.]+ MB of 24 MB before the first word/,
  });
  const whole = page.getByRole('radio', { name: 'All of it first: 24 MB before the first word' });
  await expect(now).toBeChecked();
  await expect(whole).not.toBeChecked();
  expect(await violations(page)).toEqual([]);
  await demo.setOptions({ 'Most tokens per reply': 8 });
  await demo.tellAll();
  const line = page.locator('#first-word');
  await expect(line).toHaveText(/^Needed for the first word: [\d.]+ MB of 24 MB\.$/);
  expect(Number(/: ([\d.]+) MB/.exec(await line.innerText())?.[1])).toBeLessThan(20);
  // The rest comes by itself, and a quiet line says how far it is.
  await demo.see();
  await expect(demo.slots).toContainText('Everything is here', PATIENCE);
  await expect(page.locator('#arrival')).toBeHidden();

  await page.reload();
  await demo.ready();
  await page.getByLabel('Model', { exact: true }).selectOption('fable-moe-12m');
  await expect(demo.story).toContainText('24 MB');
  await whole.check();
  await demo.setOptions({ 'Most tokens per reply': 4 });
  await demo.tellAll();
  await expect(line).toBeHidden();
  await demo.see();
  await expect(demo.slots).toContainText('Everything is here');
});

test('a stored model is listed, deleted while it is in use, and after a reload', async ({ page }) => {
  const demo = await (await new StreamingPage(page).open()).ready();
  await demo.setOptions({ 'Most tokens per reply': 4 });
  await demo.tellAll();
  const remove = demo.kept.getByRole('button', { name: 'Delete fable-omni-8m from this device' });
  const item = await demo.isKept();
  await expect(demo.kept).toContainText(/MB with the page itself; this browser allows [\d.]+ [GT]B/);
  await remove.click();
  await expect(demo.kept.getByRole('status')).toHaveText(
    'fable-omni-8m was unloaded and deleted from this device.',
  );
  await expect(item).toHaveCount(0);
  await expect(page.locator('#memory p')).toHaveText('Nothing loaded yet.');
  expect(await demo.text()).toMatch(/^Write a beginning|^Press/);

  await demo.tellAll(); // and again, without a reload
  await demo.isKept();
  await page.reload();
  await demo.ready();
  await demo.show('Memory');
  await expect(item).toHaveText('fable-omni-8m17 MBDelete');
  await remove.focus();
  await page.keyboard.press('Enter');
  await expect(demo.kept.getByRole('status')).toHaveText('fable-omni-8m was deleted from this device.');
  await expect(item).toHaveCount(0);
  await expect(page.locator(':focus')).toHaveCount(1); // the focus is never lost
  expect(await violations(page)).toEqual([]);
});

test('weights are kept once, by the engine, and a reload without a network tells a story', async ({
  page,
  context,
}) => {
  const demo = await (await new StreamingPage(page).open()).ready();
  const model = page.getByLabel('Model', { exact: true });
  await model.selectOption('fable-moe-12m'); // which keeps its description
  await expect(demo.story).toContainText('24 MB', PATIENCE);
  await model.selectOption('fable-omni-8m');
  await demo.ready();
  await demo.setOptions({ 'Most tokens per reply': 4 });
  await demo.tellAll();
  await demo.isKept();
  await page.waitForFunction(async () => {
    const keys = await (await caches.open('atomoe-page')).keys();
    return keys.some(({ url }) => /assets\/worker-[\w-]+\.js$/.test(url));
  });
  const cached = await page.evaluate(async () => {
    const names = await caches.keys();
    const keys = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
    return keys.flat().map(({ url }) => url);
  });
  expect(cached.filter((url) => /\/models\/|\.safetensors$|\.bin$/.test(url))).toEqual([]);

  await page.evaluate(() => navigator.serviceWorker.ready); // it came with the story, and answers once it is active
  await context.setOffline(true);
  await page.reload();
  await demo.ready();
  await demo.setOptions({ 'Most tokens per reply': 16 });
  await demo.tellAll();
  expect(await demo.words.count()).toBeGreaterThan(3);

  // A model of which only the description is here says so, and the page lives on.
  await model.selectOption('fable-moe-12m');
  await expect(demo.story).toContainText('24 MB', PATIENCE);
  await demo.tell.click();
  await expect(page.getByRole('alert')).toContainText('This device is offline.', PATIENCE);
  await model.selectOption('fable-omni-8m');
  await demo.ready();
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
