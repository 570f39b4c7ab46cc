// `npm run pictures`: the pictures of the demo in README and docs/, from the built page (`npm run build`) in Chromium. The
// moving one needs ffmpeg (`apt-get install ffmpeg`), which nothing else does. Run it on a machine that does nothing else:
// what is shown is what happens.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { chromium } from 'playwright';
import { preview } from 'vite';
import { chromiumFlags, requireChromium } from './chromium.mjs';

/** @typedef {import('playwright').Page} Page */

const docs = resolve(import.meta.dirname, '../docs');
const PATIENCE = { timeout: 150_000 };
/** Of a word that is told here, and not of the recording. */
const WORD = '#story:not([data-recording]) .word:not(.from-you)';

/** Opens the page for a first visit. @param {string} url @param {object} options */
async function visit(url, options = {}) {
  const browser = await chromium.launch({
    executablePath: requireChromium(),
    headless: false, // the headless shell has no WebGPU; the flags have the full browser's own headless mode
    args: [...chromiumFlags(), '--hide-scrollbars'],
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  await page.goto(`${url}?device=gpu&tuning=off&seed=7`);
  return { page, close: () => browser.close() };
}

/** Tells a story until so many words are there. @param {Page} page @param {number} words */
async function tell(page, words) {
  await page.getByRole('button', { name: 'Tell me a story' }).click(PATIENCE);
  await page.locator(WORD).nth(words).waitFor(PATIENCE);
}

/** Experts in less memory than all of them need. @param {string} url @param {'light' | 'dark'} colorScheme @param {string} file */
async function pictureOfStreaming(url, colorScheme, file) {
  const { page, close } = await visit(url, { colorScheme, viewport: { width: 1280, height: 900 } });
  await page.getByLabel('Model', { exact: true }).selectOption('fable-moe-12m');
  await page.getByRole('tab', { name: 'Memory' }).click();
  await tell(page, 8);
  await page.getByRole('slider', { name: 'Memory for the model' }).fill('40');
  await page.locator(WORD).nth(70).waitFor(PATIENCE);
  await page.screenshot({ path: join(docs, file) });
  await close();
}

/** The first seconds of a visit: the recording, a story that is told here, and its experts in memory. @param {string} url */
async function movie(url) {
  const folder = mkdtempSync(join(tmpdir(), 'atomoe-movie-'));
  const { page, close } = await visit(url, { colorScheme: 'light', viewport: { width: 1200, height: 750 } });
  /** @type {{ file: string, atMs: number }[]} */
  const frames = [];
  /** Looks as often as the browser can. @param {() => Promise<boolean>} isOver */
  const film = async (isOver) => {
    do {
      const file = join(folder, `${String(frames.length).padStart(4, '0')}.png`);
      frames.push({ file, atMs: performance.now() });
      await page.screenshot({ path: file });
      await page.waitForTimeout(100);
    } while (!(await isOver()));
  };
  const words = (/** @type {string} */ selector) => page.locator(selector).count();
  await film(async () => (await words('#story .word')) > 22);
  await page.getByRole('button', { name: 'Tell me a story' }).click();
  await film(async () => (await words(WORD)) > 26);
  await page.getByRole('tab', { name: 'Memory' }).click();
  await film(async () => (await words(WORD)) > 44);
  await close();
  const lines = frames.map(({ file, atMs }, at) => {
    const lastsMs = Math.min((frames[at + 1]?.atMs ?? atMs + 2000) - atMs, 2000);
    return `file '${file}'\nduration ${(lastsMs / 1000).toFixed(3)}`;
  });
  writeFileSync(join(folder, 'frames.txt'), `${lines.join('\n')}\n`);
  const out = join(docs, 'demo.webp');
  const { status, error } = spawnSync(
    'ffmpeg',
    [
      ...['-y', '-loglevel', 'error', '-f', 'concat', '-safe', '0', '-i', join(folder, 'frames.txt')],
      ...['-vf', 'scale=960:-2', '-fps_mode', 'vfr', '-c:v', 'libwebp_anim', '-q:v', '55', '-loop', '0', out],
    ],
    { stdio: 'inherit' },
  );
  rmSync(folder, { recursive: true });
  if (status !== 0) throw new Error('ffmpeg made no picture: apt-get install ffmpeg', { cause: error });
  console.log(`demo.webp: ${frames.length} frames, ${(statSync(out).size / 1000).toFixed(0)} kB`);
}

const server = await preview({ preview: { host: '127.0.0.1', port: 0 }, logLevel: 'error' });
const url = server.resolvedUrls?.local[0] ?? '';
const wanted = process.argv.slice(2);
/** @type {[string, () => Promise<void>][]} */
const pictures = [
  ['streaming-light.png', () => pictureOfStreaming(url, 'light', 'streaming-light.png')],
  ['streaming-dark.png', () => pictureOfStreaming(url, 'dark', 'streaming-dark.png')],
  ['demo.webp', () => movie(url)],
];
for (const [name, make] of pictures) if (wanted.length === 0 || wanted.includes(name)) await make();
await server.close();
