/** A GGUF file as a visitor brings it: by a link, from the disk, and in the element. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'playwright/test';
import { DemoPage, PATIENCE } from './demo-page.ts';
import { convert } from './llama/convert.ts';
import { ModelServer } from './model-server.ts';
import { goldenContinuation } from './packed.ts';
import { FABLE } from './streaming-lab.ts';

test.describe.configure({ timeout: 300_000 });

let folder: string;
let server: ModelServer;

test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-gguf-'));
  await writeFile(join(folder, 'fable-F16.gguf'), await convert(FABLE, 'F16'));
  server = await ModelServer.open({ '/models/': folder });
});

test.afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

test('the demo tells the story of a linked file', async ({ page }) => {
  const demo = await new DemoPage(page).open({ device: 'cpu' });
  await page.getByText('Models', { exact: true }).click();
  await page.getByLabel('Link to a model folder or file').fill(`${server.url}/models/fable-F16.gguf`);
  await page.getByLabel('Link to a model folder or file').press('Enter');
  await expect(page.getByLabel('Model', { exact: true })).toContainText('fable-F16.gguf');
  await demo.setLength(24);
  server.delayMs = 10;
  await demo.tellAll();
  server.delayMs = 0;
  // A browser's cache lets one request of a file at a time through, if it is asked.
  expect(server.mostAtATime).toBeGreaterThan(1);
  expect((await demo.text()).length).toBeGreaterThan(60);
  expect(demo.violations).toEqual([]);
});

test('the demo tells the story of a chosen file', async ({ page }) => {
  const demo = await (await new DemoPage(page).open({ device: 'cpu' })).ready();
  await page.locator('input[type=file]').first().setInputFiles(join(folder, 'fable-F16.gguf'));
  await expect(page.getByLabel('Model', { exact: true })).toContainText('fable-F16.gguf');
  await demo.setLength(24);
  await demo.tellAll();
  expect((await demo.text()).length).toBeGreaterThan(60);
});

test('the element loads one, and replies as the checkpoint does', async ({ page }) => {
  const { prompt, continuation } = await goldenContinuation(FABLE);
  await page.route('**/chat.html', async (route) => {
    const response = await route.fetch();
    const html = (await response.text()).replace(
      'model="./models/fable-omni-8m/"',
      `model="${server.url}/models/fable-F16.gguf" device="cpu"`,
    );
    // The page's own policy allows its own host only.
    await route.fulfill({
      response,
      body: html.replace("connect-src 'self'", `connect-src 'self' ${server.url}`),
    });
  });
  await page.goto('/chat.html');
  const chat = page.locator('atomoe-chat');
  await chat.evaluate((element) =>
    Object.assign(element, { generateOptions: { temperature: 0, maxTokens: 24 } }),
  );
  await expect(chat).toContainText('Licence: MIT.', PATIENCE);
  await chat.getByRole('button', { name: 'Load the model' }).click(PATIENCE);
  await chat.getByRole('textbox').fill(prompt);
  await expect(chat.getByRole('button', { name: 'Send' })).toBeEnabled(PATIENCE);
  await chat.getByRole('textbox').press('Enter');
  await expect(chat.getByRole('article')).toContainText((prompt + continuation).slice(0, 60), PATIENCE);
});
