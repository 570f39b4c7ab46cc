/** The documentation site, as `npm run docs` builds and `npm start` serves it; and its code for pages, in a browser. */
import { readdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, test, type Page } from 'playwright/test';
import { createServer, type ViteDevServer } from 'vite';
import { buildDocs } from '../scripts/docs.mjs';
import { blocksOf, placeOf, readPages, root, type Block } from '../scripts/docs/blocks.ts';
import { writeBlocks } from '../scripts/docs/generate.ts';
import { bareShaders } from '../vite.lib.config.ts';
import { PATIENCE } from './demo-page.ts';

// The site is built first, and its packages installed where they are missing: only a hang takes longer.
test.describe.configure({ mode: 'serial', timeout: 600_000 });

const site = join(root, 'dist/docs');

let paths: string[];

test.beforeAll(async () => {
  buildDocs();
  const entries = await readdir(site, { recursive: true, withFileTypes: true });
  paths = entries
    .filter(({ name }) => name.endsWith('.html') && name !== '404.html')
    .map(({ parentPath, name }) => relative(site, join(parentPath, name)).replaceAll('\\', '/'))
    .sort();
});

/** Keeps what a page asks for at other origins, and what goes wrong on it. */
function watch(page: Page, baseURL = ''): { strangers: string[]; errors: string[] } {
  const strangers: string[] = [];
  const errors: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(baseURL) && !request.url().startsWith('data:'))
      strangers.push(request.url());
  });
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('response', (response) => {
    if (response.status() >= 400) errors.push(`${response.status()} ${response.url()}`);
  });
  return { strangers, errors };
}

test('every page opens, asks no one else for anything, and its links lead somewhere', async ({
  page,
  baseURL,
}) => {
  expect(paths.length).toBeGreaterThan(20);
  const seen = watch(page, baseURL);
  const ids = new Map<string, Set<string>>();
  const links: { from: string; path: string; hash: string }[] = [];
  for (const path of paths) {
    await page.goto(`/docs/${path}`);
    await expect(page.locator('h1').first()).toBeVisible();
    const found = await page.evaluate(() => ({
      ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
      links: [...document.querySelectorAll('a[href]')].map((link) => (link as HTMLAnchorElement).href),
    }));
    ids.set(path, new Set(found.ids));
    for (const href of found.links) {
      const { origin, pathname, hash } = new URL(href);
      if (origin !== baseURL || !pathname.startsWith('/docs/')) continue;
      const target = pathname.slice('/docs/'.length);
      links.push({ from: path, path: target === '' ? 'index.html' : target, hash: decodeURIComponent(hash) });
    }
  }
  expect(seen).toEqual({ strangers: [], errors: [] });
  const dead = links.filter(({ path, hash }) => {
    const page = path.endsWith('.html') ? path : `${path}.html`;
    return !ids.has(page) || (hash !== '' && !ids.get(page)?.has(hash.slice(1)));
  });
  expect(dead).toEqual([]);
});

test('the search finds a page, without asking anybody', async ({ page, baseURL }) => {
  const seen = watch(page, baseURL);
  await page.goto('/docs/start.html');
  await page.getByRole('button', { name: 'Search' }).first().click();
  await page.getByRole('searchbox').fill('put-bucket-cors');
  await expect(page.getByRole('option').first()).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/hosting\.html/);
  expect(seen).toEqual({ strangers: [], errors: [] });
});

test('light and dark, the pages have nothing that axe finds', async ({ page }) => {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const path of ['', 'hosting.html', 'errors.html', 'api/openai.html']) {
      await page.goto(`/docs/${path}`);
      await expect(page.locator('html')).toHaveClass(colorScheme === 'dark' ? /dark/ : /^(?!.*dark)/);
      const { violations } = await new AxeBuilder({ page }).analyze();
      for (const { id, nodes } of violations)
        found.push(`${path} ${colorScheme} ${id}: ${nodes.slice(0, 3).map(({ html }) => html)}`);
    }
  }
  expect(found).toEqual([]);
});

test('the demo links the documents', async ({ page }) => {
  await page.goto('/');
  await page.getByRole('link', { name: 'Documents' }).click();
  await expect(page).toHaveURL(/\/docs\/$/);
  await expect(page.getByRole('link', { name: 'Start in a minute' }).first()).toBeVisible();
});

/** The code that needs a page: modules and markup, over the sources of the package. */
const inPages = [...readPages()].flatMap(([path, text]) => blocksOf(path, text));

/** Serves the sources, the demo's models and the pages that are handed in. */
async function servePages(pages: ReadonlyMap<string, string>): Promise<ViteDevServer> {
  const source = (path: string) => join(root, 'src', path);
  const server = await createServer({
    root,
    configFile: false,
    logLevel: 'error',
    appType: 'custom',
    publicDir: join(root, 'demo/public'),
    cacheDir: join(root, 'node_modules/.vite/docs'),
    optimizeDeps: { noDiscovery: true },
    server: { host: '127.0.0.1', port: 0, watch: null, hmr: false },
    resolve: {
      alias: [
        { find: /^atomoe$/, replacement: source('index.ts') },
        { find: /^atomoe\/worker$/, replacement: source('worker/worker.ts') },
        { find: /^atomoe\/element$/, replacement: source('element/index.ts') },
        { find: /^atomoe\/element\/define$/, replacement: source('element/define.ts') },
        { find: /^atomoe\/svelte$/, replacement: source('frameworks/svelte.ts') },
      ],
    },
    plugins: [
      bareShaders(),
      {
        name: 'docs:pages',
        configureServer: ({ middlewares }) => {
          middlewares.use((request, response, next) => {
            const html = pages.get(request.url ?? '');
            if (html === undefined) return next();
            response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
          });
        },
      },
    ],
  });
  await server.listen();
  return server;
}

const ELEMENT = /(?:https:\/\/your\.host|\/node_modules)\/atomoe\/dist\/element\/define\.js/g;

test('markup in the documents shows a chat that finds its model', async ({ page }) => {
  const markup = inPages.filter(({ language }) => language === 'html');
  const pages = new Map(markup.map((block, at) => [`/page-${at}`, pageOfMarkup(block)]));
  const server = await servePages(pages);
  try {
    for (const [at, block] of markup.entries()) {
      await page.goto(`${server.resolvedUrls?.local[0]}page-${at}`);
      const load = page.locator('atomoe-chat').getByRole('button', { name: 'Load the model' });
      await expect(load, placeOf(block)).toBeVisible(PATIENCE);
    }
    expect(markup.length).toBeGreaterThan(3);
  } finally {
    await server.close();
  }
});

/** Addresses of the reader's host become those of the server here; the element's script is there once. */
function pageOfMarkup({ text }: Block): string {
  const body = text
    .replaceAll(ELEMENT, '/src/element/define.ts')
    .replaceAll('https://your.host/models/', '/models/');
  const script = '<script type="module" src="/src/element/define.ts"></script>';
  return `<!doctype html><title>A page</title><link rel="icon" href="data:,">${script}${body}`;
}

test('programs for pages run in one', async ({ page }) => {
  const programs = inPages.filter(({ words }) => words.includes('browser') || words.includes('my-worker.js'));
  const written = writeBlocks('.blocks-e2e', programs);
  const body =
    '<atomoe-chat model="/models/fable-omni-8m/" device="cpu"></atomoe-chat><input type="file" id="files">';
  const server = await servePages(new Map([['/page', `<!doctype html><title>A page</title>${body}`]]));
  try {
    for (const { block, file } of written.filter(({ block: { words } }) => words.includes('browser'))) {
      await page.goto(`${server.resolvedUrls?.local[0]}page`);
      const module = `/${relative(root, file).replaceAll('\\', '/').replace('/run/', '/')}`;
      const error = await page.evaluate(runInPage, module);
      expect(error, placeOf(block)).toBe('');
    }
  } finally {
    await server.close();
    await rm(join(root, 'docs/.blocks-e2e'), { recursive: true, force: true });
  }
});

/** @returns what went wrong, or nothing */
async function runInPage(module: string): Promise<string> {
  const load = (path: string) => import(/* @vite-ignore */ path);
  try {
    const { createEngine } = await load('/src/index.ts');
    const { givenBy } = await load('/scripts/docs/given.ts');
    const { run } = await load(module);
    const model = '/models/fable-omni-8m/';
    const engine = await createEngine({ device: 'cpu', model });
    await run({ ...givenBy(engine, model, () => {}), document });
    engine.dispose();
    return '';
  } catch (error) {
    return String(error);
  }
}
