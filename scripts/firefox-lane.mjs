// The second opinion: every shader through naga, and the f16 variants that SwiftShader cannot run, in headless
// Firefox. The page is e2e/firefox/; this file serves it, drives it over WebDriver BiDi and counts.
//
// node scripts/firefox-lane.mjs [--report counts.json]
//
// Without Firefox the lane is skipped with a sentence, except in CI, where a skip would hide a missing check.
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import puppeteer from 'puppeteer-core';
import { createServer } from 'vite';
import { findFirefox } from './firefox.mjs';

/** @typedef {import('../e2e/firefox/cases.ts').CaseResult} CaseResult */

/** One group of cases, a model run included, takes seconds; beyond this it hangs. */
const groupTimeoutMs = 8 * 60_000;

const { values } = parseArgs({ options: { report: { type: 'string' } } });

async function servePage() {
  const server = await createServer({
    configFile: false,
    root: resolve(import.meta.dirname, '..'),
    appType: 'mpa',
    logLevel: 'warn',
    cacheDir: 'node_modules/.vite/firefox',
    // Named, so that no dependency is discovered in mid-run: that would reload the page.
    optimizeDeps: {
      entries: ['e2e/firefox/index.html'],
      include: ['wgsl-preprocessor/wgsl-preprocessor.js', '@huggingface/jinja', '@huggingface/tokenizers'],
    },
    server: { host: '127.0.0.1', port: 0, hmr: false, watch: null },
  });
  await server.listen();
  const address = server.httpServer?.address();
  if (address === null || typeof address !== 'object') throw new Error('the page server has no port');
  return { server, url: `http://127.0.0.1:${address.port}/e2e/firefox/index.html` };
}

/** @param {string} executablePath */
function launch(executablePath) {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    protocolTimeout: groupTimeoutMs,
    extraPrefsFirefox: {
      'dom.webgpu.enabled': true,
      'gfx.webgpu.ignore-blocklist': true,
      // A slow software adapter is no reason to stop a script.
      'dom.max_script_run_time': 0,
    },
  });
}

/**
 * Runs the page's groups one after the other; a group that dies is a failed case of its own.
 * @param {import('puppeteer-core').Page} page
 * @returns {Promise<CaseResult[]>}
 */
async function runGroups(page) {
  /** @type {string[]} */
  const names = await page.evaluate(() => Object.keys(/** @type {any} */ (globalThis).laneGroups));
  const results = [];
  for (const name of names) {
    try {
      const group = await page.evaluate((key) => /** @type {any} */ (globalThis).laneGroups[key](), name);
      results.push(.../** @type {CaseResult[]} */ (group));
      console.log(`${name}: ${group.length} cases`);
    } catch (cause) {
      results.push({ name, error: cause instanceof Error ? cause.message : String(cause) });
    }
  }
  return results;
}

/** @param {string} executablePath */
async function runLane(executablePath) {
  const { server, url } = await servePage();
  try {
    const browser = await launch(executablePath);
    try {
      console.log(await browser.version());
      const page = await browser.newPage();
      page.on('console', (message) => console.log(`page ${message.type()}: ${message.text()}`));
      page.on('pageerror', (error) => console.error(`page error: ${error}`));
      await page.goto(url);
      await page.waitForFunction(() => 'laneGroups' in globalThis, { timeout: 60_000 });
      return await runGroups(page);
    } finally {
      await browser.close();
    }
  } finally {
    await server.close();
  }
}

/** @param {CaseResult[]} results */
function report(results) {
  const failures = results.filter(({ error }) => error !== undefined);
  for (const { name, error } of failures) console.error(`FAIL ${name}\n  ${error}`);
  const skipped = results.filter(({ skip }) => skip !== undefined);
  for (const { name, skip } of skipped) console.log(`skip ${name}: ${skip}`);
  const counts = {
    passed: results.length - failures.length - skipped.length,
    failed: failures.length,
    skipped: skipped.length,
  };
  if (values.report !== undefined) writeFileSync(values.report, JSON.stringify(counts));
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exitCode = counts.failed > 0 ? 1 : 0;
}

const firefox = findFirefox({ install: Boolean(process.env['CI']) });
if ('path' in firefox) {
  report(await runLane(firefox.path));
} else if (process.env['CI']) {
  report([{ name: 'firefox', error: firefox.missing }]);
} else {
  report([{ name: 'firefox', skip: firefox.missing }]);
}
