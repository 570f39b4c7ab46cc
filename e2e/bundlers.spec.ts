/** The worker starts, whoever bundled, served or framed the page; where it cannot, the message names the cause. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test, type Page } from 'playwright/test';
import { PATIENCE } from './demo-page.ts';
import { goldenContinuation, install, pack, root, run, serve, type Mounts, type Site } from './packed.ts';

// Nine builds on a busy machine: only a hang takes longer.
test.describe.configure({ mode: 'serial', timeout: 600_000 });

const model = join(root, 'demo/public/models/fable-omni-8m');
const tools = join(root, 'e2e/bundlers/node_modules');
const CORS = { 'access-control-allow-origin': '*' };

let folder: string;
let app: string;
let library: string;
const { prompt, continuation } = await goldenContinuation(model);
const told = `told${continuation.slice(0, 6)}`;

/** Two words on the CPU: all that the engine loads later, and no GPU. */
const tellFrom = (specifier: string, modelUrl: string, options = '') => `
import { createWorkerEngine } from ${JSON.stringify(specifier)};
const show = (text) => (parent === self ? (document.body.dataset.told = text) : parent.postMessage(text, '*'));
async function tell() {
  const engine = await createWorkerEngine({ device: 'cpu', model: ${JSON.stringify(modelUrl)}${options} });
  let text = '';
  for await (const event of engine.session().generate(${JSON.stringify(prompt)}, { temperature: 0, maxTokens: 2 }))
    if (event.kind === 'token') text += event.text;
  show('told' + text);
  engine.dispose();
}
tell().catch((error) => show(error.code + ': ' + error.message));`;
const pageWith = (script: string) =>
  `<!doctype html><meta charset="utf-8"><title>An app</title><body><script type="module">${script}</script></body>`;
const pageOf = (src: string) =>
  `<!doctype html><meta charset="utf-8"><title>An app</title><body><script type="module" src="${src}"></script></body>`;

test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-bundled-'));
  app = join(folder, 'app');
  await install(app, await pack(folder));
  library = join(app, 'node_modules/atomoe/dist');
  await mkdir(join(app, 'src'));
  await writeFile(join(app, 'src/main.js'), tellFrom('atomoe', '/model/'));
  await writeFile(join(app, 'index.html'), pageOf('/src/main.js'));
});

test.afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the page at an address says in the end. */
async function hear(page: Page, url: string): Promise<string> {
  await page.goto(url);
  const body = page.locator('body');
  await expect(body).toHaveAttribute('data-told', /./, PATIENCE);
  return (await body.getAttribute('data-told')) ?? '';
}

async function withSite<T>(mounts: Mounts, use: (site: Site) => Promise<T>, headers = {}): Promise<T> {
  const site = await serve(mounts, headers);
  try {
    return await use(site);
  } finally {
    await site.close();
  }
}

/** Serves what a bundler made, beside the model. */
const hearBuilt = (page: Page, built: string) =>
  withSite({ '/model/': model, '/': built }, ({ url }) => hear(page, `${url}/`));

/** Loads a bundler that is installed for tests only. */
const load = (path: string) => import(pathToFileURL(path).href);

const VITES: Record<string, string> = {
  'Vite 6': join(tools, 'vite6'),
  'Vite 7': join(tools, 'vite7'),
  'Vite 8': join(root, 'node_modules/vite'),
};

for (const [name, path] of Object.entries(VITES)) {
  test(`${name}, built and in development`, async ({ page }) => {
    const vite = await load(join(path, 'dist/node/index.js'));
    const outDir = join(folder, name);
    const common = {
      root: app,
      configFile: false,
      logLevel: 'error',
      cacheDir: join(folder, `${name} cache`),
    };
    await vite.build({ ...common, build: { outDir } });
    expect(await hearBuilt(page, outDir)).toContain(told);
    const models = await serve({ '/model/': model });
    const proxy = { '/model': models.url };
    const server = await vite.createServer({ ...common, server: { host: '127.0.0.1', port: 0, proxy } });
    try {
      await server.listen();
      expect(await hear(page, `http://127.0.0.1:${server.httpServer.address().port}/`)).toContain(told);
    } finally {
      await server.close();
      await models.close();
    }
  });
}

test('webpack 5', async ({ page }) => {
  const { default: webpack } = await load(join(tools, 'webpack/lib/index.js'));
  const out = join(folder, 'webpack');
  const stats = await new Promise<{ hasErrors(): boolean; hasWarnings(): boolean; toString(): string }>(
    (done, failed) => {
      const config = {
        mode: 'production',
        context: app,
        entry: './src/main.js',
        output: { path: out },
        performance: { hints: false },
      };
      webpack(config, (error: unknown, result: never) => (error ? failed(error) : done(result)));
    },
  );
  expect(stats.hasErrors() || stats.hasWarnings(), stats.toString()).toBe(false);
  await writeFile(join(out, 'index.html'), pageOf('main.js'));
  const missing: string[] = [];
  page.on('response', (response) => void (response.status() === 404 && missing.push(response.url())));
  expect(await hearBuilt(page, out)).toContain(told);
  expect(missing.filter((url) => url.endsWith('.js'))).toEqual([]);
});

test('esbuild, in modules and in one script, which leaves the worker file behind', async ({ page }) => {
  const { build } = await load(join(tools, 'esbuild/lib/main.js'));
  const common = { absWorkingDir: app, entryPoints: ['src/main.js'], bundle: true, logLevel: 'error' };
  const split = join(folder, 'esbuild');
  await build({ ...common, format: 'esm', splitting: true, outdir: split });
  await writeFile(join(split, 'index.html'), pageOf('main.js'));
  expect(await hearBuilt(page, split)).toContain(told);

  const single = join(folder, 'esbuild-single');
  const warnings = { 'empty-import-meta': 'silent' };
  await build({
    ...common,
    format: 'iife',
    minify: true,
    outdir: single,
    logOverride: warnings,
  });
  await writeFile(join(single, 'index.html'), '<!doctype html><body><script src="main.js"></script></body>');
  expect(await hearBuilt(page, single)).toContain(told);
});

test('the files as they are: from a plain server, from another host, in a sandboxed frame', async ({
  page,
}) => {
  const hosted = { '/atomoe/': library, '/model/': model };
  await withSite(
    hosted,
    async (cdn) => {
      const site = join(folder, 'site');
      await mkdir(site);
      const far = tellFrom(`${cdn.url}/atomoe/index.js`, `${cdn.url}/model/`);
      await writeFile(join(site, 'near.html'), pageWith(tellFrom('/atomoe/index.js', '/model/')));
      await writeFile(join(site, 'far.html'), pageWith(far));
      const listener = "addEventListener('message', ({ data }) => (document.body.dataset.told = data));";
      await writeFile(
        join(site, 'sandbox.html'),
        `<!doctype html><body><script>${listener}</script><iframe sandbox="allow-scripts" src="far.html"></iframe>`,
      );
      await withSite({ ...hosted, '/': site }, async ({ url }) => {
        for (const name of ['near', 'far', 'sandbox']) {
          expect(await hear(page, `${url}/${name}.html`), name).toContain(told);
        }
      });
    },
    CORS,
  );
});

test('under a policy with Trusted Types; and what forbids a worker is named', async ({ page }) => {
  const site = join(folder, 'policies');
  await mkdir(site);
  await writeFile(join(site, 'main.js'), tellFrom('/atomoe/index.js', '/model/'));
  await writeFile(join(site, 'index.html'), pageOf('main.js'));
  const hosted = { '/atomoe/': library, '/model/': model, '/': site };
  const types = "require-trusted-types-for 'script'; trusted-types atomoe-worker";
  const hearUnder = (policy: string, mounts: Mounts = hosted) =>
    withSite(mounts, ({ url }) => hear(page, `${url}/`), { 'content-security-policy': policy });
  expect(await hearUnder(`default-src 'self'; ${types}`)).toContain(told);
  expect(
    await hearUnder(`default-src 'self'; require-trusted-types-for 'script'; trusted-types other`),
  ).toMatch(/^bad-input: .*Trusted Types policy atomoe-worker; wanted: trusted-types atomoe-worker/);
  expect(await hearUnder("default-src 'self'; worker-src 'none'")).toMatch(
    /^bad-input: .*policy \(worker-src\) forbids .*wanted: worker-src 'self'\. Allow it, or hand/,
  );
  // A bundle that has no worker file brings the worker along; a policy may forbid that.
  const bundled = { '/model/': model, '/': join(folder, 'esbuild') };
  expect(await hearUnder(`default-src 'self'; worker-src 'self' blob:; ${types}`, bundled)).toContain(told);
  expect(await hearUnder("default-src 'self'", bundled)).toMatch(
    /^bad-input: .*answered 404, .*policy \(worker-src\) forbids .*wanted: worker-src 'self' blob:\./,
  );
});

test('a worker file that is missing, or a page in its place, is named', async ({ page }) => {
  const site = join(folder, 'gone');
  await mkdir(site);
  await writeFile(join(site, 'index.html'), pageWith(tellFrom('/atomoe/index.js', '/model/')));
  const hosted = { '/atomoe/': library, '/model/': model, '/': site };
  await withSite({ '/atomoe/worker-modules.js': join(site, 'nothing'), ...hosted }, async ({ url }) => {
    expect(await hear(page, `${url}/`)).toMatch(
      /^network: .*\/atomoe\/worker-modules\.js answered 404; wanted: .*side by side/,
    );
  });
  await withSite({ '/atomoe/worker-modules.js': site, ...hosted }, async ({ url }) => {
    expect(await hear(page, `${url}/`)).toMatch(
      /^network: .*worker-modules\.js is text\/html.*, as where a host sends a page/,
    );
  });
});

/**
 * The least that a family needs of the library, the same where its experts stream, and the most that one needs: a mixer, a
 * container and a tokenizer of its own. Of gzip, kB; scripts, of which each is a request. Hardware and software adapters have
 * shaders of their own.
 */
for (const [name, path, file, { most, scripts, options = '' }] of [
  ['OLMoE', 'fixtures/models/olmoe', '', { most: 123, scripts: 13 }],
  [
    'OLMoE with streamed experts',
    'fixtures/models/olmoe',
    '',
    { most: 132.5, scripts: 14, options: ', streaming: { slotsPerLayer: 4 }' },
  ],
  ['DeepSeek-V3 from GGUF', 'fixtures/gguf', 'deepseek_v3.gguf', { most: 132, scripts: 16 }],
  [
    'DeepSeek-V3 from GGUF, on hardware',
    'fixtures/gguf',
    'deepseek_v3.gguf',
    { most: 135.5, scripts: 16, options: ", adapterClass: 'hardware'" },
  ],
] as const) {
  test(`a page that runs one model loads what that model needs: ${name}`, async ({ page }) => {
    const site = join(folder, name);
    await mkdir(site);
    const script = `
import { createWorkerEngine } from '/atomoe/index.js';
addEventListener('unhandledrejection', ({ reason }) => (document.body.dataset.told = String(reason)));
const engine = await createWorkerEngine({ device: 'gpu', tuning: 'off', model: '/model/${file}'${options} });
document.body.dataset.told = 'told ' + engine.model.plan.family;`;
    await writeFile(join(site, 'index.html'), pageWith(script));
    const bodies = new Map<string, Promise<Buffer>>();
    page.context().on('response', (response) => {
      const { pathname } = new URL(response.url());
      if (pathname.startsWith('/atomoe/')) bodies.set(pathname, response.body());
    });
    await withSite({ '/atomoe/': library, '/model/': join(root, path), '/': site }, async ({ url }) => {
      expect(await hear(page, `${url}/`)).toContain('told ');
    });
    const sizes = await Promise.all(
      [...bodies].map(async ([at, body]) => [at, gzipSync(await body).byteLength] as const),
    );
    const scriptBytes = sizes.reduce((sum, [, size]) => sum + size, 0);
    console.log(`${name}: ${sizes.length} scripts, ${(scriptBytes / 1000).toFixed(1)} kB of gzip`);
    expect(scriptBytes).toBeGreaterThan(50_000);
    expect(scriptBytes).toBeLessThan(1000 * most);
    expect(sizes.length).toBeLessThanOrEqual(scripts);
  });
}

/** What is right passes, and each line that is marked fails. */
const MARKUP = {
  'react.tsx': `/** @jsxImportSource react */
import type {} from 'atomoe/element/react';
import { useAtomoe } from 'atomoe/react';
export const chat = <atomoe-chat model="/m/" autoload disabled={false} features="all" history context-rule="keep-first" texts={{ send: 'Go' }} className="chat" onchat-send={(event) => event.detail.text.length} />;
export const slots = <atomoe-slots talking onslots-report={(event) => event.detail?.layers} ref={(slots) => slots?.follow(undefined)} />;
export const experts = <atomoe-experts onexperts-pick={(event) => event.detail?.words} />;
// @ts-expect-error
export const wrong = <atomoe-chat modle="/m/" />;
// @ts-expect-error
export const device = <atomoe-chat device="tpu" />;
// @ts-expect-error
export const rule = <atomoe-chat context-rule="newest" />;
export const Story = () => <p>{useAtomoe({ model: '/m/', loadOptions: { memoryBudget: 'auto' } }).messages.map(({ text }) => text)}</p>;
// @ts-expect-error
export const nothing = () => useAtomoe({ device: 'cpu' });`,
  'vue.tsx': `/** @jsxImportSource vue */
import type {} from 'atomoe/element/vue';
import { useAtomoe } from 'atomoe/vue';
import type { GlobalComponents } from 'vue';
export const chat = <atomoe-chat model="/m/" autoload disabled={false} features="all" history contextRule="refuse" settings={{ seed: 7 }} class="chat" onChatSend={(event) => event.detail.text.length} />;
type Props = InstanceType<GlobalComponents['atomoe-chat']>['$props'];
export const props: Props = { model: '/m/', onChatError: (event) => event.detail.message.length };
// @ts-expect-error
export const wrong: Props = { device: 'tpu' };
// @ts-expect-error
export const device = <atomoe-chat device="tpu" />;
export const setup = (): number => useAtomoe(() => ({ model: '/m/' })).text.value.length;
// @ts-expect-error
export const text = (): number => useAtomoe({ model: '/m/' }).text.length;`,
  'svelte.ts': `import type {} from 'atomoe/element/svelte';
import { createAtomoe, type AtomoeView } from 'atomoe/svelte';
import type { SvelteHTMLElements } from 'svelte/elements';
import type { Readable } from 'svelte/store';
type Props = SvelteHTMLElements['atomoe-chat'];
export const props: Props = { model: '/m/', autoload: true, history: true, name: 'answer', class: 'chat', 'onchat-settings': (event) => event.detail.seed, 'onchat-done': (event) => event.detail.reason };
// @ts-expect-error
export const wrong: Props = { device: 'tpu' };
export const store: Readable<AtomoeView> = createAtomoe({ model: '/m/' });`,
};

test('React, Vue and Svelte know the elements, their events, and what is in components', async () => {
  const markup = join(app, 'markup');
  await mkdir(markup);
  for (const [name, text] of Object.entries(MARKUP)) await writeFile(join(markup, name), text);
  const compilerOptions = {
    ...{
      strict: true,
      noEmit: true,
      jsx: 'react-jsx',
      types: [],
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
    },
    ...{
      target: 'es2022',
      module: 'esnext',
      moduleResolution: 'bundler',
      lib: ['es2024', 'dom', 'dom.iterable'],
    },
  };
  await writeFile(join(markup, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['.'] }));
  await mkdir(join(app, 'node_modules/@types'), { recursive: true });
  for (const name of ['@types/react', 'vue', 'svelte']) {
    await symlink(join(tools, name), join(app, 'node_modules', name), 'junction');
  }
  await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'markup'], app);
});
