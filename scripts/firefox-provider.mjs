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

class FirefoxProvider {
  name = 'firefox-bidi';
  supportsParallelism = false;
  /** @type {string[]} */
  initScripts = [];
  #executablePath;
  /** @type {import('puppeteer-core').Browser | undefined} */
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
    this.#browser ??= await puppeteer.launch({
      browser: 'firefox',
      executablePath: this.#executablePath,
      headless: true,
      extraPrefsFirefox: preferences,
    });
    const page = await this.#browser.newPage();
    await page.goto(url);
  }

  async close() {
    await this.#browser?.close();
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
