/** A name of the Hugging Face hub: which files there are, what each takes, the licence, and a story. The hub is a local server. */
import AxeBuilder from '@axe-core/playwright';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Page } from 'playwright/test';
import { DemoPage, PATIENCE } from './demo-page.ts';
import { convert } from './llama/convert.ts';
import { ModelServer } from './model-server.ts';
import { FABLE } from './streaming-lab.ts';

test.describe.configure({ timeout: 300_000 });

const FILES = ['fable-F16.gguf', 'fable-Q8_0.gguf', 'fable-Q4_0.gguf'];

let folder: string;
let server: ModelServer;

test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-hub-'));
  await writeFile(join(folder, 'fable-F16.gguf'), await convert(FABLE, 'F16'));
  await writeFile(join(folder, 'fable-Q8_0.gguf'), await convert(FABLE, 'Q8_0'));
  await writeFile(join(folder, 'fable-Q4_0.gguf'), await convert(FABLE, 'Q4_0'));
  server = await ModelServer.open({ '/tales/fable/resolve/main/': folder });
});

test.afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

// The rest of a model comes in the background.
test.afterEach(({ page }) => page.unrouteAll({ behavior: 'ignoreErrors' }));

/** Answers for the hub: its list of files, and the files of the server. */
async function standIn(page: Page): Promise<string[]> {
  const asked: string[] = [];
  const sizes = await Promise.all(FILES.map(async (name) => (await stat(join(folder, name))).size));
  const siblings = [
    ...FILES.map((rfilename, i) => ({ rfilename, size: sizes[i] })),
    { rfilename: 'fable-IQ2_XXS.gguf', size: 1 },
    { rfilename: 'README.md', size: 9 },
  ];
  await page.route('https://huggingface.co/**', async (route) => {
    const { pathname } = new URL(route.request().url());
    asked.push(pathname);
    if (pathname.startsWith('/api/models/tales/fable/')) {
      const headers = { 'access-control-allow-origin': '*' };
      return route.fulfill({ json: { siblings, cardData: { license: 'mit' } }, headers });
    }
    return route.fulfill({ response: await route.fetch({ url: server.url + pathname }) });
  });
  return asked;
}

test('the demo shows the files of a name, their sizes and the licence, and tells a story of the chosen one', async ({
  page,
}) => {
  const asked = await standIn(page);
  const demo = await (await new DemoPage(page).open({ device: 'cpu' })).ready();
  await page.getByText('Models', { exact: true }).click();
  const link = page.getByLabel('Link to a model folder or file');
  await link.fill('tales/fable');
  await link.press('Enter');
  await expect(page.getByLabel('Model', { exact: true })).toContainText('tales/fable');
  await expect(demo.story).toContainText('tales/fable on the Hugging Face hub. Licence: mit.');
  const files = page.getByRole('group', { name: 'Which file to load' });
  const table = files.getByRole('table');
  await expect(table.getByRole('rowheader')).toHaveText(['F16', 'Q8_0', 'Q4_0 recommended', 'IQ2_XXS']);
  const q4 = files.getByRole('radio', { name: 'Q4_0 recommended' });
  await expect(q4).toBeChecked();
  // The planned file's figures are exact, those of the others in proportion.
  await expect(table.getByRole('row', { name: 'Q4_0' }).getByRole('cell').nth(1)).toHaveText(
    /^\d.* MB$/,
    PATIENCE,
  );
  await expect(table.getByRole('row', { name: 'F16' }).getByRole('cell').nth(1)).toHaveText(/^≈ \d.* MB$/);
  await expect(q4).toHaveAccessibleDescription(
    /^Download [\d.]+ MB Memory for all of it [\d.]+ MB Memory to stream it [\d.]+ MB$/,
  );
  expect(asked.filter((path) => path.includes('F16'))).toEqual([]);

  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes[0]?.html}`)).toEqual([]);
  }

  await page.setViewportSize({ width: 320, height: 800 });
  expect(await demo.story.evaluate((story) => story.scrollWidth - story.clientWidth)).toBe(0);
  await page.setViewportSize({ width: 1280, height: 720 });
  // By the keyboard: the focus stays, and so does the table.
  const place = () => files.evaluate((element) => [(element as HTMLElement).offsetTop, element.clientHeight]);
  const before = await place();
  await q4.focus();
  await page.keyboard.press('ArrowUp');
  const q8 = files.getByRole('radio', { name: 'Q8_0' });
  await expect(q8).toBeChecked();
  await expect(q8).toBeFocused();
  await expect(table.getByRole('row', { name: 'Q8_0' }).getByRole('cell').nth(1)).toHaveText(/^\d/, PATIENCE);
  await expect(q8).toBeFocused();
  expect(await place()).toEqual(before);

  await demo.setLength(24);
  await demo.tellAll();
  expect((await demo.text()).length).toBeGreaterThan(60);
  expect(new Set(asked.filter((path) => path.endsWith('.gguf')))).toEqual(
    new Set(['Q4_0', 'Q8_0'].map((kind) => `/tales/fable/resolve/main/fable-${kind}.gguf`)),
  );
  expect(demo.violations).toEqual([]);
});

test('a file that cannot be read is said to be, and another one can be chosen; another model hides the files', async ({
  page,
}) => {
  await standIn(page);
  const demo = await new DemoPage(page).open({ device: 'cpu', model: 'tales/fable' });
  const files = page.getByRole('group', { name: 'Which file to load' });
  await files.getByRole('radio', { name: 'IQ2_XXS' }).check(PATIENCE);
  await expect(page.getByRole('alert')).toBeVisible(PATIENCE);
  await files.getByRole('radio', { name: 'F16' }).check();
  await expect(demo.story).toContainText('Write a beginning below', PATIENCE);
  await expect(page.getByRole('alert')).toHaveCount(0);
  const model = page.getByLabel('Model', { exact: true });
  await model.selectOption('fable-omni-8m');
  await demo.ready();
  await expect(files).toHaveCount(0);
  await model.selectOption('tales/fable');
  await expect(files.getByRole('radio', { name: 'F16' })).toBeChecked();
});
