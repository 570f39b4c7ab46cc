// (j) A first visit to the demo, as `npm start` serves it: when something moves, when the button works, when the first token
// comes, and what has come over the network by then. Beside it the least pages of Atomoe and of wllama with one file, and the bytes
// of others' packages before they can run a model.
import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright';
import { build } from 'vite';
import { chromiumFlags, requireChromium } from '../scripts/chromium.mjs';
import { median, sentBetween, serveCounted } from './counted-site.mjs';
import { leastPages } from './least-pages.mjs';

const root = resolve(import.meta.dirname, '..');
const demoConfig = join(root, 'vite.config.ts');
const VISITS = 7;
const PATIENCE_MS = 150_000;

/** @typedef {{ firstPaint: number, motion: number, button: number, click: number, token: number }} Moments - ms since the address */

/** What the page notes, on its own clock. */
const NOTES = `
  window.moments = {};
  const note = (name) => (window.moments[name] ??= performance.now());
  const look = () => {
    if (document.querySelectorAll('#story .word').length > 1) note('motion');
    const buttons = [...document.querySelectorAll('button')];
    if (buttons.some((button) => button.textContent.includes('Tell me a story') && !button.disabled)) note('button');
    // Only then: for a moment the recorded words are no recording's.
    if (document.querySelector('#stats')?.textContent.includes('first token')) note('token');
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true, attributes: true });
  addEventListener('click', () => note('click'), { capture: true });
`;

/** Waits in a way that the page's content policy allows. @param {import('playwright').Page} page @param {string} condition */
async function until(page, condition) {
  const lastMs = Date.now() + PATIENCE_MS;
  while (!(await page.evaluate(`Boolean(${condition})`))) {
    if (Date.now() > lastMs) throw new Error(`the page never came to ${condition}`);
    await page.waitForTimeout(50);
  }
}

/** One visit, in a browser of its own. @returns {Promise<{ moments: Moments, answers: import('./counted-site.mjs').Answer[], adapter: string, browser: string }>} */
async function visit() {
  /** @type {import('./counted-site.mjs').Answer[]} */
  const answers = [];
  const server = await serveCounted({ configFile: demoConfig }, answers);
  const browser = await chromium.launch({
    executablePath: requireChromium(),
    headless: false, // the flags have the full browser's own headless mode
    args: chromiumFlags(),
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.addInitScript(NOTES);
    await page.goto(server.resolvedUrls?.local[0] ?? '');
    await until(page, 'window.moments.motion && window.moments.button');
    await page.waitForTimeout(1000); // a visitor looks before the click
    await page.getByRole('button', { name: 'Tell me a story' }).click();
    await until(page, 'window.moments.token');
    /** @type {Moments & { origin: number }} */
    const moments = await page.evaluate(`({
      ...window.moments,
      firstPaint: performance.getEntriesByName('first-contentful-paint')[0].startTime,
      origin: performance.timeOrigin,
    })`);
    const adapter = (await page.locator('#adapter').textContent()) ?? '';
    const atPage = answers.map((answer) => ({ ...answer, atMs: answer.atMs - moments.origin }));
    return { moments, answers: atPage, adapter: adapter.trim(), browser: browser.version() };
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Packages of others: the least page that can open a model, and the files that it fetches before that. */
const PEERS = [
  {
    name: 'WebLLM',
    package: '@mlc-ai/web-llm',
    script: `import { CreateMLCEngine } from '@mlc-ai/web-llm'; window.open = CreateMLCEngine;`,
    binaries: /** @type {string[]} */ ([]),
    more: 'no time: each model runs by a compiled library of its own, fetched from its host; the package holds none',
  },
  {
    name: 'wllama',
    package: '@wllama/wllama',
    script: `import { Wllama } from '@wllama/wllama'; window.open = Wllama;`,
    binaries: ['esm/wasm/wllama.wasm'],
    more: '',
  },
  {
    name: 'ONNX Runtime Web',
    package: 'onnxruntime-web',
    script: `import { InferenceSession } from 'onnxruntime-web/webgpu'; window.open = InferenceSession.create;`,
    binaries: ['dist/ort-wasm-simd-threaded.asyncify.wasm'],
    more: 'no tokenizer, no sampling, no chat',
  },
];

/** The bytes of a peer's page as Vite builds it, minified. @param {typeof PEERS[number]} peer */
async function peerBytes({ name, package: id, script, binaries, more }) {
  const folder = mkdtempSync(join(tmpdir(), 'atomoe-peer-'));
  try {
    const installed = join(root, 'bench/node_modules', id);
    const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    symlinkSync(join(root, 'bench/node_modules'), join(folder, 'node_modules'), 'junction');
    writeFileSync(join(folder, 'main.js'), script);
    writeFileSync(join(folder, 'index.html'), '<script type="module" src="/main.js"></script>');
    await build({
      root: folder,
      configFile: false,
      logLevel: 'error',
      build: { outDir: join(folder, 'out'), target: 'es2022', assetsInlineLimit: 0 },
    });
    const assets = join(folder, 'out/assets');
    const scripts = readdirSync(assets)
      .filter((file) => /\.m?js$/.test(file))
      .map((file) => join(assets, file));
    const sizes = (/** @type {string[]} */ files) => ({
      bytes: files.reduce((sum, file) => sum + statSync(file).size, 0),
      gzipBytes: files.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0),
    });
    const wasm = sizes(binaries.map((path) => join(installed, path)));
    const found = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.wasm'),
    );
    if (found.length > 0 !== binaries.length > 0)
      throw new Error(`${id} has other WebAssembly: ${found.join(', ')}`);
    return { name, version, script: sizes(scripts), wasm, more };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const kB = (/** @type {number} */ bytes) => (bytes / 1000).toFixed(0);

/** The demo's visits and the peers' bytes. */
export async function firstVisits() {
  await build({ configFile: demoConfig, logLevel: 'error' });
  /** @type {Awaited<ReturnType<typeof visit>>[]} */
  const visits = [];
  for (let at = 0; at < VISITS; at++) visits.push(await visit());
  const [first] = visits;
  if (!first) throw new Error('nobody visited');
  const of = (/** @type {(moments: Moments) => number} */ pick) =>
    median(visits.map(({ moments }) => pick(moments)));
  const stages = /** @type {const} */ ([
    ['the button is there', 'button', 0],
    ['first paint', 'firstPaint', 0],
    ['first motion: the second word of the recorded story', 'motion', 0],
    ['first token, since the click', 'token', 'click'],
  ]);
  let fromMs = Number.NEGATIVE_INFINITY;
  const rows = stages.map(([title, name, since]) => {
    const sent = sentBetween(first.answers, fromMs, first.moments[name]);
    fromMs = Math.max(fromMs, first.moments[name]);
    const ms = of((moments) => moments[name] - (since === 0 ? 0 : moments[since]));
    return { title, ms, ...sent };
  });
  const least = await leastPages();
  const peers = [];
  for (const peer of PEERS) peers.push(await peerBytes(peer));
  const runs = rows.reduce((sum, { gzipBytes }) => sum + gzipBytes, 0);
  const table = [
    '| stage | ms | requests since the stage before | gzip, kB | weights, kB | for later, kB |',
    '| --- | --: | --: | --: | --: | --: |',
    ...rows.map(
      ({ title, ms, requests, gzipBytes, weightBytes, laterBytes }) =>
        `| ${title} | ${ms.toFixed(0)} | ${requests} | ${kB(gzipBytes)} | ${kB(weightBytes)} | ${kB(laterBytes)} |`,
    ),
  ];
  const others = [
    '| package | script, gzip kB (as is) | WebAssembly, gzip kB (as is) | beside it |',
    '| --- | --: | --: | --- |',
    `| Atomoe, the demo's page, all that it loaded until the first token but weights | ${kB(runs)} in all | | page, style, recorded story and tokenizer included |`,
    ...peers.map(
      ({ name, version, script, wasm, more }) =>
        `| ${name} ${version} | ${kB(script.gzipBytes)} (${kB(script.bytes)}) | ${kB(wasm.gzipBytes)} (${kB(wasm.bytes)}) | ${more} |`,
    ),
  ];
  const pages = [
    '| page | the button works, ms | bytes until then, gzip kB | model loaded, ms since the click | first token, ms since the click | more bytes, gzip kB | of the file, kB |',
    '| --- | --: | --: | --: | --: | --: | --: |',
    ...least.pages.map(({ name, buttonMs, loadedMs, tokenMs, page, reply }) =>
      [
        ...['', name, buttonMs.toFixed(0), kB(page.gzipBytes), loadedMs.toFixed(0), tokenMs.toFixed(0)],
        ...[kB(reply.gzipBytes), kB(reply.weightBytes), ''],
      ]
        .join(' | ')
        .trim(),
    ),
  ];
  const markdown =
    `The demo from a fresh clone (\`npm start\`), a new profile for each of ${VISITS} visits, medians; served from the same machine, so that times have ` +
    `no network in them. The visitor clicks a second after the button works. Bytes are what the server sent until then, compressed (gzip), weights apart; ` +
    `"for later" is what the service worker fetches beside the visit, for visits without a network. The page said: ${first.adapter}.\n\n${table.join('\n')}\n\n` +
    `**The same file, the least page**: \`fable-moe-12m\` as one GGUF file (Q8_0, ${kB(least.modelBytes)} kB), opened by the least page of each package ` +
    `(\`bench/least-pages.mjs\`), on the CPU with one thread, from the same server, in turns; medians, bytes of the first visit. The first words were ` +
    `${least.pages.map(({ name, text }) => `"${text.trim()}" (${name})`).join(' and ')}.\n\n${pages.join('\n')}\n\n` +
    `**Packages of others**: bytes of a page that imports what opens a model, built and minified by Vite, and of the WebAssembly that it fetches, before any ` +
    `model.\n\n${others.join('\n')}`;
  return {
    markdown,
    results: { rows, visits: visits.map(({ moments }) => moments), least, peers },
    adapter: first.adapter,
    browser: first.browser,
  };
}
