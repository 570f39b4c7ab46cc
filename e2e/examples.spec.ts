/** The examples as a stranger has them: beside the packed package, type-checked, built and run. */
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { expect, test, type Page } from 'playwright/test';
import { createServer } from 'vite';
import { swiftshaderManifest } from '../scripts/chromium.mjs';
import { PATIENCE } from './demo-page.ts';
import { freePort } from './free-port.ts';
import {
  goldenContinuation,
  install,
  pack,
  root,
  run,
  serve,
  userEnvironment,
  type Mounts,
} from './packed.ts';

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
  const names = [
    'vite',
    'react',
    'vue',
    'svelte',
    'webpack',
    'node',
    'router',
    'expert-kind',
    'decoding-strategy',
  ];
  for (const name of names) await provide(name);
});

test.afterAll(() => rm(folder, { recursive: true, force: true }));

/** What pages say of a reply that was stopped: why it ended, or what the chat is. */
const STOPPED = /^(abort|stopped)$/;

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
    await expect(page.locator('#state')).toHaveText(STOPPED, { timeout: 1 });
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

/** A program of an installed package. */
const tool = (path: string) => join(app, 'node_modules', path);

/** Hides the component that has the engine, and shows it again. */
async function closeAndOpen(page: Page): Promise<void> {
  expect(page.workers()).toHaveLength(1);
  await page.getByRole('button', { name: 'Close' }).click();
  await expect.poll(() => page.workers().length, PATIENCE).toBe(0);
  await page.getByRole('button', { name: 'Open' }).click();
  await expect(page.getByRole('button', { name: 'Tell' })).toBeEnabled(PATIENCE);
  expect(page.workers()).toHaveLength(1);
}

for (const name of ['vite', 'react']) {
  test(`${name}: type-checks, builds, and tells a story, in development too`, async ({ page }) => {
    await run(process.execPath, [tool('typescript/bin/tsc')], example(name));
    await run(process.execPath, [tool('vite/bin/vite.js'), 'build'], example(name));
    await atServer({ '/': join(example(name), 'dist') }, async (url) => {
      await tellAndStop(page, `${url}/`);
      if (name === 'react') await closeAndOpen(page);
    });
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

for (const name of ['vue', 'svelte']) {
  test(`${name}: builds, tells a story, and its engine goes with the component`, async ({ page }) => {
    await run(process.execPath, [tool('vite/bin/vite.js'), 'build'], example(name));
    await atServer({ '/': join(example(name), 'dist') }, async (url) => {
      await tellAndStop(page, `${url}/`);
      await closeAndOpen(page);
    });
  });
}

/** Renders each example's kind of component where there is no page. Opening an engine would be an error. */
const ON_SERVER = `
import { createAtomoe } from 'atomoe/svelte';
import { useAtomoe } from 'atomoe/react';
import { useAtomoe as useInVue } from 'atomoe/vue';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { createSSRApp, h } from 'vue';
import { renderToString as renderVue } from 'vue/server-renderer';
import { render } from 'svelte/server';
import Story from './Story.js';
let opened = 0;
const options = { model: '/m/', openEngine: async () => { throw new Error('opened ' + ++opened); } };
console.log(renderToString(createElement(() => createElement('p', {}, useAtomoe(options).status))));
console.log(await renderVue(createSSRApp({ setup: () => { const { status } = useInVue(options); return () => h('p', status.value); } })));
console.log(render(Story, { props: { model: '/m/' } }).body.match('<p[^>]*>idle</p>')?.[0]);
createAtomoe(options).subscribe(({ status }) => console.log(status))();
setTimeout(() => console.log(String(opened)), 50);
`;

test('React, Vue and Svelte render on a server, where nothing is loaded', async () => {
  const server = join(app, 'server');
  await mkdir(server);
  const { compile } = await import(pathToFileURL(tool('svelte/src/compiler/index.js')).href);
  const story = await readFile(join(example('svelte'), 'Story.svelte'), 'utf8');
  await writeFile(join(server, 'Story.js'), compile(story, { generate: 'server' }).js.code);
  await writeFile(join(server, 'main.js'), ON_SERVER);
  const said = await run(process.execPath, ['main.js'], server);
  expect(said.split('\n')).toEqual([
    '<p>idle</p>',
    '<p>idle</p>',
    '<p id="state" aria-live="polite">idle</p>',
    'idle',
    '0',
    '',
  ]);
});

test('webpack: builds, and tells a story from a plain server', async ({ page }) => {
  await run(process.execPath, [tool('webpack-cli/bin/cli.js')], example('webpack'));
  await atServer({ '/': app }, (url) => tellAndStop(page, `${url}/examples/webpack/index.html`));
});

test('next: builds, renders on the server, and tells a story in the browser', async ({ page }) => {
  const from = join(root, 'e2e/next');
  const modules = join(example('next'), 'node_modules');
  // Copied, not linked: Next.js takes files outside of its folder for somebody else's.
  await cp(join(from, 'node_modules'), modules, { recursive: true, verbatimSymlinks: true }).catch(
    (cause) => {
      throw new Error('Next.js is not installed: run npm install in e2e/next', { cause });
    },
  );
  await cp(join(app, 'node_modules/atomoe'), join(modules, 'atomoe'), { recursive: true });
  const { dependencies, devDependencies } = await readJson(join(example('next'), 'package.json'));
  const provided = (await readJson(join(from, 'package.json'))).dependencies;
  for (const [wanted, range] of Object.entries({ ...dependencies, ...devDependencies })) {
    if (wanted !== 'atomoe') expect(range, wanted).toBe(`^${provided[wanted]}`);
  }
  const next = join(modules, 'next/dist/bin/next');
  process.env['NEXT_TELEMETRY_DISABLED'] = '1';
  await run(process.execPath, [next, 'build'], example('next'));
  const port = String(await freePort());
  const server = spawn(process.execPath, [next, 'start', '-H', '127.0.0.1', '-p', port], {
    cwd: example('next'),
    env: userEnvironment(),
  });
  let said = '';
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (bytes) => (said += bytes));
  try {
    await expect.poll(() => said, PATIENCE).toContain('Ready');
    const url = `http://127.0.0.1:${port}/`;
    const html = await (await fetch(url)).text();
    expect(html).toContain('<p id="state" aria-live="polite">idle</p>');
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    // Files that a model may have, and this one has not, are asked for: 404 is no problem.
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('404')) problems.push(message.text());
    });
    await tellAndStop(page, url);
    expect(problems).toEqual([]); // such as of a page that is not what the server rendered
    expect(said).not.toMatch(/error/i);
  } finally {
    const ended = new Promise((done) => server.on('close', done));
    server.kill();
    await ended;
  }
});

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
