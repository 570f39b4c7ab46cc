/** Each trouble is a sentence where the story would be, and the rest of the page lives on. */
import { expect, test } from 'playwright/test';
import { DemoPage } from './demo-page.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

test('a dead link says what is missing and where; another model still works @quick', async ({ page }) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await page.getByText('Models', { exact: true }).click();
  await page
    .getByLabel('Link to a model folder or file')
    .fill(new URL('/models/nothing-here/', page.url()).href);
  await page.getByRole('button', { name: 'Open' }).click();
  await expect(page.getByRole('alert')).toContainText('nothing-here');
  await page.getByLabel('Model', { exact: true }).selectOption('fable-omni-8m');
  await demo.ready();
  await demo.setLength(8);
  await demo.tellAll();
});

test('on a phone a dead link of the address is read from its beginning, and nothing says that it is a recording', async ({
  page,
}) => {
  await page.setViewportSize({ width: 360, height: 640 });
  const demo = await new DemoPage(page).open({ model: '/models/nothing-here/' });
  await expect(page.getByRole('alert')).toContainText('nothing-here');
  await expect(page.locator('#recorded')).toBeHidden();
  await page.setViewportSize({ width: 350, height: 640 }); // the place of the story changes its size
  const [overflow, scrolled] = await demo.story.evaluate(async (story) => {
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 100)));
    return [story.scrollHeight - story.clientHeight, story.scrollTop];
  });
  expect(overflow).toBeGreaterThan(0); // else there is nothing to see of it
  expect(scrolled).toBe(0);
});

test('a worker that ends in mid-story is one sentence, and trying again works', async ({ page }) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await demo.tell.click();
  await demo.begun();
  await page.workers()[0]!.evaluate(() => self.close());
  await expect(page.getByRole('alert')).toContainText('worker is gone');
  await page.getByRole('button', { name: 'Try again' }).click();
  await demo.begun(6);
});

test('files from the disk are a model too', async ({ page }) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await page.getByText('Models', { exact: true }).click();
  const folder = new URL('../demo/public/models/fable-omni-8m/', import.meta.url);
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  await page
    .getByLabel('Or its files from your disk')
    .setInputFiles(names.map((name) => new URL(name, folder).pathname));
  await expect(demo.story).toContainText('Write a beginning below');
  await demo.setLength(8);
  await demo.tellAll();
  expect(await demo.words.count()).toBeGreaterThan(0);
});

test('an empty prompt asks for nothing @quick', async ({ page }) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await demo.prompt.fill('   ');
  await demo.tell.click();
  await demo.ready();
});

test('a browser that keeps no files does not promise to', async ({ page }) => {
  await page.addInitScript(() => Reflect.deleteProperty(StorageManager.prototype, 'getDirectory'));
  const demo = await (await new DemoPage(page).open()).ready();
  await expect(demo.stage).toContainText('this browser keeps no files of the page');
  await expect(page.locator('#kept-total')).toContainText('each visit downloads its model anew');
});
