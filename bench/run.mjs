// `npm run bench [-- a b c d e f g h i j]`: builds the bench page, runs it in headless Chromium, writes RESULTS.md and results.json.
import { createReadStream, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { basename, extname, resolve } from 'node:path';
import process from 'node:process';
import { chromium } from 'playwright';
import { format } from 'prettier';
import { build, preview, runnerImport } from 'vite';
import { chromiumFlags, requireChromium } from '../scripts/chromium.mjs';
import { installPackages } from '../scripts/packages.mjs';
import { withModules } from './modules.mjs';
import { BROWSER_MARK, realPart } from './real/part.mjs';
import { firstVisits } from './visit.mjs';

const root = resolve(import.meta.dirname, '..');
const outDir = resolve(root, 'dist/bench');
const PARTS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
/** Parts without the bench's page. */
const WITHOUT_PAGE = ['h', 'i', 'j'];
/** @type {Record<string, string>} */
const TITLES = {
  a: '(a) A Q4 MoE beside ONNX Runtime',
  b: '(b) Kernels against the machine',
  c: '(c) OmniMoE layer against a PEER layer',
  d: '(d) Router time by number of experts',
  e: '(e) Streaming experts into fewer slots',
  f: '(f) Without a GPU',
  g: '(g) Models of published shapes within memory budgets',
  h: '(h) Routing and pruning of recorded routes and trained models',
  i: '(i) Strategies of decoding, and a dense model carved into experts',
  j: '(j) A first visit to the demo, and others beside it',
};

/** @type {Record<string, string>} */
const TYPES = {
  '.wasm': 'application/wasm',
  '.mjs': 'text/javascript',
  '.js': 'text/javascript',
  '.json': 'application/json',
};

/** Serves more folders than the page's own: the onnxruntime-web package, and the trained models. */
const moreFiles = {
  name: 'bench-files',
  /** @param {import('vite').PreviewServer} server */
  configurePreviewServer(server) {
    /** @param {string} prefix @param {string} folder @param {(path: string) => string} inside */
    const serve = (prefix, folder, inside) =>
      server.middlewares.use(prefix, (request, response) => {
        const { pathname } = new URL(request.url ?? '/', 'http://localhost');
        const path = resolve(root, folder, inside(pathname));
        if (!existsSync(path)) return void response.writeHead(404).end();
        const type = TYPES[extname(path)] ?? 'application/octet-stream';
        response.writeHead(200, { 'Content-Type': type, 'Content-Length': statSync(path).size });
        createReadStream(path).pipe(response);
      });
    serve('/ort', 'bench/node_modules/onnxruntime-web/dist', basename);
    serve('/wllama', 'bench/node_modules/@wllama/wllama/esm', (path) => path.replace(/^\//, ''));
    serve('/models', 'demo/public/models', (path) => path.split('/').slice(-2).join('/'));
  },
};

/** @type {import('vite').InlineConfig} */
const config = {
  configFile: false,
  root: resolve(root, 'bench/page'),
  base: './',
  logLevel: 'warn',
  plugins: [moreFiles],
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2022',
    reportCompressedSize: false,
    chunkSizeWarningLimit: 4096,
  },
  worker: { format: 'es' },
  // An isolated page: threads share memory.
  preview: {
    host: '127.0.0.1',
    port: 0,
    headers: {
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    },
  },
};

/**
 * Opens the bench page in a browser of its own, so that no part inherits another's memory.
 *
 * @template T
 * @param {string} part
 * @param {(page: import('playwright').Page) => Promise<T>} use
 * @returns {Promise<T & { browser: string }>}
 */
async function withPage(part, use) {
  const server = await preview(config);
  const args = [...chromiumFlags(), BROWSER_MARK];
  const browser = await chromium.launch({ executablePath: requireChromium(), args });
  try {
    const page = await browser.newPage();
    page.on('console', (message) => {
      const text = message.text();
      if (text.startsWith('bench: ')) console.log(`[${part}] ${text.slice(7)}`);
      else if (message.type() === 'error' || message.type() === 'warning')
        console.log(`[${part}] ${text.slice(0, 400)}`);
    });
    const crash = new Promise((_, reject) => page.on('crash', () => reject(new Error('the page crashed'))));
    await page.goto(server.resolvedUrls?.local[0] ?? '');
    await page.waitForFunction('window.bench !== undefined');
    return { ...(await Promise.race([use(page), crash])), browser: browser.version() };
  } finally {
    await browser.close();
    await server.close();
  }
}

/** @param {import('playwright').Page} page @returns {Promise<string>} */
function adapterOf(page) {
  return page.evaluate(async () => {
    const { info } = (await navigator.gpu.requestAdapter()) ?? { info: undefined };
    return info
      ? [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(' ')
      : 'none';
  });
}

/** @param {string} part @returns {Promise<any>} */
async function runPart(part) {
  const started = Date.now();
  const seconds = () => (Date.now() - started) / 1000;
  if (part === 'g') {
    const { adapter, browser } = await withPage(part, async (page) => ({ adapter: await adapterOf(page) }));
    return { ...(await realPart((use) => withPage(part, use))), seconds: seconds(), adapter, browser };
  }
  if (part === 'h') {
    const result = await withModules(async (load) => (await load('parts/h-study.ts'))['routingStudy']());
    return { ...result, seconds: seconds(), node: process.version };
  }
  if (part === 'i') {
    const result = await withModules(async (load) => (await load('parts/i-trained.ts'))['trainedModels']());
    return { ...result, seconds: seconds(), node: process.version };
  }
  if (part === 'j') return { ...(await firstVisits()), seconds: seconds() };
  return withPage(part, async (page) => ({
    ...(await page.evaluate(`window.bench(${JSON.stringify(part)})`)),
    adapter: await adapterOf(page),
    seconds: seconds(),
  }));
}

/** What the CPU does for a layer that streams: measured in Node, beside the page. */
async function measureHost() {
  const { module } = await runnerImport(resolve(root, 'bench/bookkeeping.ts'), {
    configFile: false,
    logLevel: 'warn',
  });
  const means = await module.measureBookkeeping();
  const { layers, units, topK, places } = module.SHAPE;
  const cells = [means.resident, means.missing, means.guessed].map((us) => us.toFixed(1));
  const markdown =
    `**Bookkeeping on the CPU** (Node ${process.version}; ${layers} layers of ${units} experts, top-${topK}, ` +
    `${places} slots a layer; the GPU is a stand-in): microseconds of processor time for a layer, mean over ${module.LAYERS_TIMED} ` +
    `layers, aim 50.\n\n` +
    `| all ${topK} resident | all ${topK} missing | all ${topK} missing and guessed |\n| --: | --: | --: |\n` +
    `| ${cells.join(' | ')} |`;
  return { markdown, results: means };
}

/** @param {string} name */
function versionOf(name) {
  return JSON.parse(readFileSync(resolve(root, 'bench/node_modules', name, 'package.json'), 'utf8')).version;
}

/** The commit that was measured, and whether files differed from it. */
function commit() {
  /** @param {string[]} args */
  const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  const changed = git(
    'status',
    '--porcelain',
    '--',
    'src',
    'shaders',
    'bench/*.ts',
    'bench/*.mjs',
    'bench/*/*',
    'simd',
  );
  return git('rev-parse', '--short', 'HEAD') + (changed === '' ? '' : ' with local changes');
}

/** Results of parts that are not run now are kept from the last run. */
function readEarlier() {
  const path = resolve(root, 'bench/results.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : { parts: {} };
}

/** @param {Record<string, any>} parts */
function renderMarkdown(parts) {
  const sections = PARTS.filter((part) => parts[part]).map((part) => {
    const { markdown, date, commit: at, adapter, browser, node, machine, seconds } = parts[part];
    const where = node ? `Node ${node}` : `adapter ${adapter}; Chromium ${browser}`;
    const made = `_${date}, commit ${at}; ${where}; ${machine}; ${seconds.toFixed(0)} s._`;
    return `## ${TITLES[part]}\n\n${made}\n\n${markdown}\n`;
  });
  const head =
    '# Bench results\n\nWritten by `npm run bench`; README.md says how to read them. `±` is half the distance between the ' +
    'quartiles, `n` the number of repetitions.\n';
  return [head, ...sections].join('\n');
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((part) => !PARTS.includes(part));
if (unknown.length > 0) {
  console.error(`no part ${unknown.join(', ')}; there are ${PARTS.join(', ')}`);
  process.exit(1);
}
const list = wanted.length > 0 ? wanted : PARTS;
const inPages = list.filter((part) => !WITHOUT_PAGE.includes(part));
if (inPages.length > 0 || list.includes('i') || list.includes('j')) {
  if (installPackages(['bench']).length > 0) process.exit(1);
}
if (inPages.length > 0) await build(config);
const { parts } = readEarlier();
for (const part of list) {
  const at = commit();
  // What others were running: figures of a busy machine are worth little.
  const [load = 0] = loadavg();
  const machine = `${cpus().length} CPU cores with a load of ${load.toFixed(1)} before, ${process.platform} ${process.arch}`;
  const result = await runPart(part);
  if (part === 'e') {
    const host = await measureHost();
    result.markdown += `\n\n${host.markdown}`;
    result.results.bookkeepingUs = host.results;
  }
  const date = new Date().toISOString().slice(0, 10);
  parts[part] = {
    ...result,
    date,
    commit: at,
    machine,
    ...(inPages.includes(part)
      ? {
          versions: {
            'onnxruntime-web': versionOf('onnxruntime-web'),
            '@wllama/wllama': versionOf('@wllama/wllama'),
          },
        }
      : {}),
  };
  const json = await format(JSON.stringify({ parts }), { parser: 'json', printWidth: 110 });
  writeFileSync(resolve(root, 'bench/results.json'), json);
  writeFileSync(resolve(root, 'bench/RESULTS.md'), renderMarkdown(parts));
}
