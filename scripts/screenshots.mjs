// Pictures of every page and state, in both themes, at four widths, to be looked at: `node scripts/screenshots.mjs [FOLDER]`.
// A scripted engine (`?fake`) stands for the model, so that states come at once and look the same every time.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { chromium } from 'playwright';
import { createServer } from 'vite';
import { chromiumFlags, requireChromium } from './chromium.mjs';

const WIDTHS = [360, 768, 1280, 1920];
const THEMES = /** @type {const} */ (['light', 'dark']);

/** @typedef {import('playwright').Page} Page */

/** @type {(page: Page, name: string) => Promise<void>} */
const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

/** @type {(page: Page) => Promise<void>} */
const tell = async (page) => {
  await press(page, 'Tell me a story');
  await page.getByRole('button', { name: 'Again', exact: true }).first().waitFor({ timeout: 60_000 });
};

/** @type {(page: Page) => Promise<void>} */
const fail = async (page) => {
  await press(page, 'Tell me a story');
  await page.getByRole('alert').first().waitFor({ timeout: 60_000 });
};

/** Each: the address, and what brings the page there. @type {Record<string, [string, ((page: Page) => Promise<void>)?]>} */
const STATES = {
  recording: ['?fake'],
  loading: ['?fake', (page) => press(page, 'Tell me a story')],
  told: ['?fake', tell],
  settings: ['?fake', (page) => press(page, 'Settings')],
  history: ['?fake', async (page) => (await tell(page), press(page, 'History'))],
  edit: ['?fake', async (page) => (await tell(page), press(page, 'Edit beginning'))],
  models: ['?fake', (page) => page.getByText('Models', { exact: true }).click()],
  chat: ['?fake=thinks', tell],
  memory: ['?fake', async (page) => (await tell(page), page.getByRole('tab', { name: 'Memory' }).click())],
  report: ['?fake', async (page) => (await tell(page), page.getByRole('tab', { name: 'Report' }).click())],
  'no-webgpu': ['?fake=nogpu', fail],
  'device-lost': ['?fake=lost', fail],
  'disk-full': ['?fake=full', fail],
  'too-small': ['?fake=small', fail],
  'dead-link': ['?device=cpu&model=/models/nothing-here/'],
  element: ['chat.html'],
  routing: ['routing.html'],
};

const folder = resolve(process.argv[2] ?? 'dist/screenshots');
const only = process.argv[3]?.split(',');
mkdirSync(folder, { recursive: true });
const server = await createServer({ server: { port: 0, host: '127.0.0.1' }, logLevel: 'error' });
await server.listen();
const url = server.resolvedUrls?.local[0] ?? '';
const browser = await chromium.launch({
  executablePath: requireChromium(),
  headless: false, // the flags have the mode that knows WebGPU
  args: chromiumFlags(),
});
let faults = 0;
for (const [name, [path, reach]] of Object.entries(STATES)) {
  if (only && !only.includes(name)) continue;
  for (const width of WIDTHS) {
    const context = await browser.newContext({ viewport: { width, height: width < 500 ? 740 : 900 } });
    const page = await context.newPage();
    try {
      await page.goto(url + path);
      await page.waitForTimeout(1200);
      await reach?.(page);
      await page.waitForTimeout(500);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) console.error(`${name} at ${width}: ${over} px wider than the window`);
      faults += Number(over > 0);
      for (const theme of THEMES) {
        await page.emulateMedia({ colorScheme: theme });
        await page.screenshot({ path: join(folder, `${name}-${width}-${theme}.png`) });
      }
    } catch (error) {
      faults++;
      console.error(`${name} at ${width}: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
    }
    await context.close();
  }
}
await browser.close();
await server.close();
console.log(`pictures are in ${folder}`);
process.exitCode = faults > 0 ? 1 : 0;
