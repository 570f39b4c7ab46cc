// The least page of Atomoe and of wllama that says the first token of one and the same GGUF file: both built by Vite, on the CPU, in
// turns, in a new profile for each visit.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { chromium } from 'playwright';
import { build } from 'vite';
import { chromiumFlags, requireChromium } from '../scripts/chromium.mjs';
import { median, sentBetween, serveCounted } from './counted-site.mjs';
import { withModules } from './modules.mjs';

const root = resolve(import.meta.dirname, '..');
const MODEL = 'demo/public/models/fable-moe-12m';
const PROMPT = 'Once upon a time';
const VISITS = 5;
const PATIENCE_MS = 120_000;
const CONTEXT = 256;
const THREADS = 1; // what wllama takes on two cores by itself

/** @typedef {{ button: number, click: number, loaded: number, token: number }} Moments - ms since the address */

/** A click opens the model and tells its first tokens. */
const HTML = `<!doctype html><link rel="icon" href="data:," /><button disabled>Tell</button><output></output>
<script type="module" src="/main.js"></script>`;

/** What both pages have around the package. @param {string} imports @param {string} tell - an async generator of texts */
const script = (imports, tell) => `${imports}
const moments = (window.moments = {});
const note = (name) => (moments[name] ??= performance.now());
async function* tell() { ${tell} }
const [button, output] = document.querySelectorAll('button, output');
button.addEventListener('click', async () => {
  note('click');
  for await (const text of tell()) {
    if (text) note('token');
    output.textContent += text;
  }
  window.isDone = true;
});
button.disabled = false;
note('button');
`;

const PAGES = [
  {
    name: 'Atomoe',
    folder: root,
    script: script(
      `import { createWorkerEngine } from 'atomoe';`,
      `const engine = await createWorkerEngine({ device: 'cpu', threads: ${THREADS} });
      await engine.load(new URL('/model.gguf', location.href).href, { contextTokens: ${CONTEXT} });
      note('loaded');
      const options = { maxTokens: 4, temperature: 0 };
      for await (const event of engine.session().generate('${PROMPT}', options)) if (event.kind === 'token') yield event.text;`,
    ),
  },
  {
    name: 'wllama',
    folder: join(root, 'bench'),
    script: script(
      `import { Wllama } from '@wllama/wllama';
      import wasm from '@wllama/wllama/esm/wasm/wllama.wasm?url';`,
      `const wllama = new Wllama({ default: wasm }, { suppressNativeLog: true });
      const url = new URL('/model.gguf', location.href).href;
      await wllama.loadModelFromUrl(url, { n_gpu_layers: 0, n_threads: ${THREADS}, n_ctx: ${CONTEXT} });
      note('loaded');
      const options = { prompt: '${PROMPT}', max_tokens: 4, temperature: 0, stream: true };
      for await (const { choices } of await wllama.createCompletion(options)) yield choices[0]?.text ?? '';`,
    ),
  },
];

/**
 * Builds a page. @param {typeof PAGES[number]} page @param {Uint8Array} model - the file that it opens
 * @returns {Promise<import('vite').InlineConfig>} what serves it
 */
async function builtPage({ folder: packages, script: text }, model) {
  const folder = mkdtempSync(join(tmpdir(), 'atomoe-least-'));
  const modules = join(folder, 'node_modules');
  if (packages === root) {
    mkdirSync(modules);
    symlinkSync(root, join(modules, 'atomoe'), 'junction');
  } else symlinkSync(join(packages, 'node_modules'), modules, 'junction');
  writeFileSync(join(folder, 'main.js'), text);
  writeFileSync(join(folder, 'index.html'), HTML);
  /** @type {import('vite').InlineConfig} */
  const config = {
    root: folder,
    configFile: false,
    logLevel: 'error',
    worker: { format: 'es' },
    build: { outDir: join(folder, 'out'), target: 'es2022', assetsInlineLimit: 0 },
    // Isolated, so that threads may share memory.
    preview: {
      headers: {
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Cross-Origin-Embedder-Policy': 'require-corp',
      },
    },
  };
  await build(config);
  writeFileSync(join(folder, 'out/model.gguf'), model);
  return config;
}

/** @param {import('vite').InlineConfig} config */
async function visit(config) {
  /** @type {import('./counted-site.mjs').Answer[]} */
  const answers = [];
  const server = await serveCounted(config, answers);
  const browser = await chromium.launch({
    executablePath: requireChromium(),
    headless: false, // the flags have the full browser's own headless mode
    args: chromiumFlags(),
  });
  try {
    const page = await browser.newPage();
    /** @type {Promise<never>} */
    const failed = new Promise((_, reject) => page.on('pageerror', reject));
    failed.catch(() => {});
    await page.goto(server.resolvedUrls?.local[0] ?? '');
    await page.waitForSelector('button:not([disabled])');
    await page.waitForTimeout(1000); // a visitor looks before the click
    await page.click('button');
    const patience = { timeout: PATIENCE_MS };
    await Promise.race([page.waitForFunction('window.isDone', undefined, patience), failed]);
    /** @type {Moments & { origin: number, text: string }} */
    const { origin, text, ...moments } = await page.evaluate(
      `({ ...window.moments, origin: performance.timeOrigin, text: document.querySelector('output').textContent })`,
    );
    const at = (/** @type {number} */ ms) => origin + ms;
    return {
      moments,
      text,
      page: sentBetween(answers, 0, at(moments.click)),
      reply: sentBetween(answers, at(moments.click), at(moments.token)),
    };
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Visits of each page in turns: medians of the times, bytes of the first visit. */
export async function leastPages(turns = VISITS) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  execFileSync(npm, ['run', '--silent', 'build:lib'], { cwd: root, stdio: 'inherit' });
  const model = await withModules(async (load) =>
    (await load('../e2e/llama/convert.ts'))['convert'](join(root, MODEL), 'Q8_0'),
  );
  /** @type {{ name: string, config: import('vite').InlineConfig, visits: Awaited<ReturnType<typeof visit>>[] }[]} */
  const sites = [];
  for (const page of PAGES) {
    sites.push({ name: page.name, config: await builtPage(page, model), visits: [] });
  }
  try {
    for (let turn = 0; turn < turns; turn++) {
      for (const { config, visits } of sites) visits.push(await visit(config));
    }
  } finally {
    for (const { config } of sites) rmSync(config.root ?? '', { recursive: true });
  }
  return {
    modelBytes: model.length,
    pages: sites.map(({ name, visits }) => {
      const [first] = visits;
      if (!first) throw new Error('nobody visited');
      const of = (/** @type {(moments: Moments) => number} */ pick) =>
        median(visits.map(({ moments }) => pick(moments)));
      return {
        ...{ name, text: first.text, visits: visits.map(({ moments }) => moments) },
        ...{ page: first.page, reply: first.reply },
        buttonMs: of(({ button }) => button),
        loadedMs: of(({ loaded, click }) => loaded - click),
        tokenMs: of(({ token, click }) => token - click),
      };
    }),
  };
}
