// Lets Vitest run browser tests in Firefox ESR, driven over WebDriver BiDi. Playwright's own provider only drives
// Playwright's patched Firefox, which is not what people have.
import { defineBrowserProvider } from '@vitest/browser';
import puppeteer from 'puppeteer-core';

/** Firefox with WebGPU on whatever Vulkan driver there is; Mesa's software one has shader-f16 and no subgroups. */
const preferences = {
  'dom.webgpu.enabled': true,
  'gfx.webgpu.ignore-blocklist': true,
  // A slow software adapter is no reason to stop a script.
  'dom.max_script_run_time': 0,
};

/** A busy machine starts Firefox slowly. */
const startTimeoutMs = 180_000;

class FirefoxProvider {
  name = 'firefox-bidi';
  supportsParallelism = false;
  /** @type {string[]} */
  initScripts = [];
  #executablePath;
  /** @type {Promise<import('puppeteer-core').Browser> | undefined} while it starts, too: `close` must not miss it */
  #browser;

  /** @param {string} executablePath */
  constructor(executablePath) {
    this.#executablePath = executablePath;
  }

  getCommandsContext() {
    return {};
  }

  /**
   * @param {string} _sessionId
   * @param {string} url
   */
  async openPage(_sessionId, url) {
    this.#browser ??= puppeteer.launch({
      browser: 'firefox',
      executablePath: this.#executablePath,
      headless: true,
      extraPrefsFirefox: preferences,
      timeout: startTimeoutMs,
    });
    const browser = await this.#browser;
    const page = await browser.newPage();
    await page.goto(url, { timeout: startTimeoutMs });
  }

  async close() {
    const browser = await this.#browser?.catch(() => undefined);
    await browser?.close();
  }
}

/** @param {string} executablePath of Firefox */
export function firefoxProvider(executablePath) {
  return defineBrowserProvider({
    name: 'firefox-bidi',
    options: {},
    providerFactory: () => new FirefoxProvider(executablePath),
  });
}
