/** The examples as a stranger has them: beside the packed package, type-checked, built and run. */
import { cp, mkdir, mkdtemp, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { expect, test, type Page } from 'playwright/test';
import { createServer } from 'vite';
import { swiftshaderManifest } from '../scripts/chromium.mjs';
import { PATIENCE } from './demo-page.ts';
import { goldenContinuation, install, pack, root, run, serve, type Mounts } from './packed.ts';

// Building, and four loads on a software adapter: only a hang takes longer.
test.describe.configure({ mode: 'serial', timeout: 600_000 });

// Dawn in Node takes SwiftShader, unless the caller named another driver.
process.env['VK_ICD_FILENAMES'] ??= swiftshaderManifest();

/** Who has the packages that examples ask for: the checkout, or what `npm run test:all` installs. */
const PROVIDERS = [join(root, 'node_modules'), join(root, 'e2e/bundlers/node_modules')];

const { prompt, continuation } = await goldenContinuation(join(root, 'demo/public/models/fable-omni-8m'));
const golden = prompt + continuation;

let folder: string;
let app: string;

/** The folder of one example. */
const example = (name: string) => join(app, 'examples', name);

const readJson = async (path: string) => JSON.parse(await readFile(path, 'utf8'));

/** Puts the packages that an example names beside ours, each in the very version from which its range begins. */
async function provide(name: string): Promise<void> {
  const { dependencies, devDependencies = {} } = await readJson(join(example(name), 'package.json'));
  expect(dependencies.atomoe, name).toBe('file:../..');
  for (const [wanted, range] of Object.entries({ ...dependencies, ...devDependencies })) {
    const place = join(app, 'node_modules', wanted);
    if (wanted === 'atomoe') continue;
    const sources = PROVIDERS.map((provider) => join(provider, wanted));
    const found = await Promise.all(sources.map((source) => stat(source).catch(() => undefined)));
    const source = sources.find((_, index) => found[index]);
    if (source === undefined) throw new Error(`${wanted} is not installed: run npm install in e2e/bundlers`);
    expect(range, wanted).toBe(`^${(await readJson(join(source, 'package.json'))).version}`);
    await mkdir(dirname(place), { recursive: true });
    if (!(await stat(place).catch(() => undefined))) await symlink(source, place, 'junction');
  }
}

test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-examples-'));
  app = join(folder, 'app');
  await install(app, await pack(folder));
  const filter = (path: string) => !['node_modules', 'dist'].includes(basename(path));
  await cp(join(root, 'examples'), join(app, 'examples'), { recursive: true, filter });
  await symlink(join(root, 'demo'), join(app, 'demo'), 'junction');
  await symlink(join(app, 'node_modules/atomoe/dist'), join(app, 'dist'), 'junction');
  const names = ['vite', 'react', 'node', 'router', 'expert-kind', 'decoding-strategy'];
  for (const name of names) await provide(name);
});

test.afterAll(() => rm(folder, { recursive: true, force: true }));

/** Tells a story on the page of an app, and stops it. A fast machine may end its story before Stop is heard: then once more. */
async function tellAndStop(page: Page, url: string): Promise<void> {
  await page.goto(url);
  const output = page.locator('output');
  await page.getByLabel('How the story begins').fill(prompt);
  await expect(async () => {
    const isStopped = output.evaluate(stopBeyond, prompt.length + 8);
    await page.getByRole('button', { name: 'Tell' }).click(PATIENCE);
    await isStopped;
    await expect(page.getByRole('button', { name: 'Tell' })).toBeEnabled(PATIENCE);
    const text = (await output.textContent()) ?? '';
    expect(text.startsWith(golden) || golden.startsWith(text), text).toBe(true);
    await expect(page.locator('#state')).toHaveText('abort', { timeout: 1 });
  }).toPass({ timeout: 300_000 });
}

/** Clicks on Stop once a text is longer than `length`. In the page: from here it would come much later. */
function stopBeyond(output: Element, length: number): Promise<void> {
  return new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      if ((output.textContent ?? '').length <= length) return;
      observer.disconnect();
      const buttons = [...document.querySelectorAll('button')];
      buttons.find(({ textContent }) => textContent === 'Stop')?.click();
      resolve();
    });
    observer.observe(output, { childList: true, characterData: true, subtree: true });
  });
}

/** Presses Escape in the element once its last reply is longer than `length`. */
function escapeBeyond(chat: Element, length: number): Promise<void> {
  const { shadowRoot } = chat;
  return new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      const last = [...(shadowRoot?.querySelectorAll('[role=article], article') ?? [])].at(-1);
      if ((last?.textContent ?? '').length <= length) return;
      observer.disconnect();
      const escape = new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, composed: true });
      shadowRoot?.querySelector('textarea')?.dispatchEvent(escape);
      resolve();
    });
    if (shadowRoot) observer.observe(shadowRoot, { childList: true, characterData: true, subtree: true });
  });
}

async function atServer(mounts: Mounts, use: (url: string) => Promise<void>): Promise<void> {
  const server = await serve(mounts);
  try {
    await use(server.url);
  } finally {
    await server.close();
  }
}

for (const name of ['vite', 'react']) {
  test(`${name}: type-checks, builds, and tells a story, in development too`, async ({ page }) => {
    const tool = (path: string) => join(app, 'node_modules', path);
    await run(process.execPath, [tool('typescript/bin/tsc')], example(name));
    await run(process.execPath, [tool('vite/bin/vite.js'), 'build'], example(name));
    await atServer({ '/': join(example(name), 'dist') }, (url) => tellAndStop(page, `${url}/`));
    const server = await createServer({
      root: example(name),
      logLevel: 'error',
      cacheDir: join(folder, `${name} cache`),
      server: { host: '127.0.0.1', port: 0 },
    });
    try {
      await server.listen();
      await tellAndStop(page, server.resolvedUrls?.local[0] ?? '');
    } finally {
      await server.close();
    }
  });
}

test('page: the element tells a story from a plain server', async ({ page }) => {
  await atServer({ '/': app }, async (url) => {
    await page.goto(`${url}/examples/page/index.html`);
    const chat = page.locator('atomoe-chat');
    await chat.getByRole('button', { name: 'Load the model' }).click(PATIENCE);
    const state = page.locator('#state');
    await expect(async () => {
      await state.evaluate((element) => (element.textContent = ''));
      const isStopped = chat.evaluate(escapeBeyond, prompt.length + 8);
      await chat.getByRole('textbox').fill(prompt);
      await expect(chat.getByRole('button', { name: 'Send' })).toBeEnabled(PATIENCE);
      await chat.getByRole('textbox').press('Enter');
      await isStopped;
      await expect(state).toHaveText(/^\d+ characters, \w+$/, PATIENCE);
      await expect(state).toHaveText(/, abort$/, { timeout: 1 });
    }).toPass({ timeout: 300_000 });
  });
});

test('node: tells a story on the CPU, and on the GPU through Dawn', async () => {
  for (const device of ['cpu', 'gpu']) {
    const told = (await run(process.execPath, ['main.js', prompt, device], example('node'))).trimEnd();
    expect(told.length, device).toBeGreaterThan(prompt.length + 20);
    expect(golden.startsWith(told), told).toBe(true);
  }
  await expect(run(process.execPath, ['main.js', prompt, 'tpu'], example('node'))).rejects.toThrow(
    /bad-input: device is "tpu"/,
  );
});

test('decoding-strategy: tells a story by a strategy from outside', async () => {
  const told = await run(process.execPath, ['main.js', prompt], example('decoding-strategy'));
  const changed = Number(/\n(\d+) tokens would have repeated what was said\n$/.exec(told)?.[1]);
  expect(changed, told).toBeGreaterThan(0);
  expect(told.startsWith(prompt)).toBe(true);
  expect(told.startsWith(golden), told).toBe(false);
});

for (const name of ['router', 'expert-kind']) {
  test(`${name}: tells the same story on the CPU and on the GPU, with experts streamed`, async () => {
    const tell = (device: string) => run(process.execPath, ['main.js', prompt, device], example(name));
    const told = await tell('cpu');
    expect(told.startsWith(prompt), told).toBe(true);
    expect(told.length).toBeGreaterThan(prompt.length + 20);
    expect(await tell('gpu')).toBe(told);
  });
}
