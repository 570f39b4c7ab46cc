/** A second tab, and a network that goes and comes back: what the visitor reads, and that nothing is lost. */
import { join } from 'node:path';
import { expect, test, type Page } from 'playwright/test';
import { DemoPage, openElementPage, PATIENCE } from './demo-page.ts';
import { ModelServer } from './model-server.ts';
import { root } from './packed.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

/** Of the weights of Fable Omni 8M. */
const MODEL_BYTES = 17_125_200;

let server: ModelServer;

test.beforeEach(async () => {
  server = await ModelServer.open({ '/': join(root, 'dist/demo') });
});

// The rest of a model comes in the background.
test.afterEach(async ({ context }) => {
  await context.close();
  await server.stop();
});

const sentBytes = (): number =>
  server
    .takeSent()
    .filter(({ file }) => file.endsWith('.safetensors'))
    .reduce((sum, { bytes }) => sum + bytes, 0);

/** The host sends the beginning of the weights, and then nothing more: a load is surely there to be broken off. */
const stall = (): void => server.break('silent', { file: /\.safetensors$/, after: 8 });

const progress = (page: Page) => page.getByText(/^Downloading: /);

test('a host that goes away in mid-download is named; trying again brings only the rest', async ({
  page,
}) => {
  const demo = await (await new DemoPage(page).open({ device: 'cpu' }, server.url)).ready();
  await demo.setLength(4);
  stall();
  await demo.tell.click();
  await expect(progress(page)).toContainText('waiting for more', PATIENCE);
  await server.stop();
  const alert = page.getByRole('alert');
  await expect(alert).toContainText('does not answer, or the connection broke off', PATIENCE);
  await expect(alert).toContainText('What has come of the model is kept');
  await expect(demo.prompt).toHaveValue('Once upon a time');
  const before = sentBytes();
  expect(before).toBeGreaterThan(1e5);

  await server.mend();
  await page.getByRole('button', { name: 'Try again' }).click();
  await demo.finished();
  expect(await demo.words.count()).toBeGreaterThan(0);
  expect(before + sentBytes()).toBeLessThan(1.3 * MODEL_BYTES);
});

test('a device that goes offline goes on by itself when it is back', async ({ page, context }) => {
  const demo = await (await new DemoPage(page).open({ device: 'cpu' }, server.url)).ready();
  await demo.setLength(4);
  stall();
  await demo.tell.click();
  await expect(progress(page)).toContainText('waiting for more', PATIENCE);
  await context.setOffline(true);
  await server.stop(); // workers of a page have a network of their own in Chromium
  await expect(page.getByRole('alert')).toContainText('This device is offline.', PATIENCE);
  const before = sentBytes();

  await server.mend();
  await context.setOffline(false);
  await demo.finished(); // nobody pressed anything
  expect(await demo.words.count()).toBeGreaterThan(0);
  expect(before + sentBytes()).toBeLessThan(1.3 * MODEL_BYTES);
});

test('the element, too, goes on when the network is back', async ({ page, context }) => {
  const chat = await openElementPage(page, server.url);
  stall();
  await chat.getByRole('button', { name: 'Load the model' }).click();
  await expect(chat).toContainText(/Downloading: .* of 17 MB; waiting for more/, PATIENCE);
  await context.setOffline(true);
  await server.stop();
  await expect(chat.getByRole('alert')).toContainText('This device is offline.', PATIENCE);
  await server.mend();
  await context.setOffline(false);
  await chat.getByRole('textbox').fill('Once upon a time');
  await expect(chat.getByRole('button', { name: 'Send' })).toBeEnabled(PATIENCE);
});

test('a second tab tells from what the first one keeps; deleting there says who uses it', async ({
  page,
  context,
}) => {
  const first = await (await new DemoPage(page).open({ device: 'cpu' }, server.url)).ready();
  await first.setLength(4);
  await first.tellAll();
  await first.show('Memory');
  await expect(page.locator('#kept-list')).toContainText(/fable-omni-8m\s*17 MB/, PATIENCE); // all of it
  sentBytes();

  const other = await context.newPage();
  const second = await (await new DemoPage(other).open({ device: 'cpu' }, server.url)).ready();
  await second.setLength(4);
  await second.tellAll();
  expect(await second.words.count()).toBeGreaterThan(0);
  expect(sentBytes()).toBeLessThan(0.1 * MODEL_BYTES); // from the disk
  await second.show('Memory');
  await expect(other.locator('#kept-disk')).toHaveText(/another tab/);
  await other.getByRole('button', { name: 'Delete fable-omni-8m from this device' }).click();
  await expect(other.locator('#kept-note')).toHaveText(
    'Another tab of this site uses this model. Close that tab, then try again.',
    PATIENCE,
  );
  await expect(other.locator('#kept-list')).toContainText('17 MB'); // nothing is lost

  await page.close();
  await other.getByRole('button', { name: 'Delete fable-omni-8m from this device' }).click();
  await expect(other.locator('#kept-note')).toContainText('deleted from this device', PATIENCE);
});

test('two tabs that load the same model at once both tell', async ({ page, context }) => {
  const first = await (await new DemoPage(page).open({ device: 'cpu' }, server.url)).ready();
  const other = await context.newPage();
  const second = await (await new DemoPage(other).open({ device: 'cpu' }, server.url)).ready();
  for (const demo of [first, second]) await demo.setLength(4);
  server.bytesPerSecond = 2e6; // so that they overlap
  await Promise.all([first.tell.click(), second.tell.click()]);
  await Promise.all([first.finished(), second.finished()]);
  for (const demo of [first, second]) expect(await demo.words.count()).toBeGreaterThan(0);
});
