/** Browsers that Playwright does not drive as people have them: Firefox over BiDi, WebKitGTK over WebDriver. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import puppeteer from 'puppeteer-core';
import { findFirefox } from '../scripts/firefox.mjs';
import { findMiniBrowser, findWebkit } from '../scripts/webkit.mjs';
import { freePort } from './free-port.ts';

/** A page in one of them. */
export interface Visitor {
  readonly version: string;
  goto(url: string): Promise<void>;
  /** Calls a function in the page, which sees its arguments and nothing else of the caller; promises are awaited. */
  evaluate<A extends readonly unknown[], R>(run: (...args: A) => R | Promise<R>, ...args: A): Promise<R>;
  close(): Promise<void>;
}

/** A program that is there, or why not. */
export type VisitorBrowser = { open(): Promise<Visitor> } | { missing: string };

/** What is not installed fails in CI, where a skip would hide a missing check. */
export function visitorBrowsers(): Readonly<Record<'firefox' | 'webkit', VisitorBrowser>> {
  const install = Boolean(process.env['CI']);
  const firefox = findFirefox({ install });
  const webkit = findWebkit({ install });
  return {
    firefox: 'path' in firefox ? { open: () => openFirefox(firefox.path) } : firefox,
    webkit: 'path' in webkit ? { open: () => openWebkit(webkit.path) } : webkit,
  };
}

/** A busy machine starts browsers slowly. */
const TIMEOUT_MS = 180_000;

async function openFirefox(executablePath: string): Promise<Visitor> {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    timeout: TIMEOUT_MS,
    protocolTimeout: TIMEOUT_MS,
  });
  const page = await browser.newPage();
  return {
    version: await browser.version(),
    goto: async (url) => void (await page.goto(url, { timeout: TIMEOUT_MS })),
    evaluate: (run, ...args) =>
      page.evaluate(run as never, ...(args as readonly unknown[] as never[])) as never,
    close: () => browser.close(),
  };
}

/** What Safari has and the small browser leaves off. */
const WEBKIT_FEATURES = '+StorageAPI,+StorageAPIEstimate,+FileSystem';

async function openWebkit(driverPath: string): Promise<Visitor> {
  const binary = findMiniBrowser();
  if (binary === undefined) throw new Error('WebKitGTK has no MiniBrowser here');
  const screen = await startScreen();
  const port = await freePort();
  const driver = spawn(driverPath, [`--port=${port}`], {
    env: { ...process.env, DISPLAY: screen.display },
    stdio: 'ignore',
  });
  const end = () => {
    driver.kill();
    screen.process.kill();
  };
  try {
    const options = { binary, args: ['--automation', `--features=${WEBKIT_FEATURES}`] };
    const capabilities = { alwaysMatch: { 'webkitgtk:browserOptions': options } };
    const server = `http://127.0.0.1:${port}/session`;
    const session = await untilUp(() => command<NewSession>('POST', server, { capabilities }));
    const url = `${server}/${session.sessionId}`;
    await command('POST', `${url}/timeouts`, { script: TIMEOUT_MS, pageLoad: TIMEOUT_MS });
    return {
      version: `WebKitGTK ${session.capabilities.browserVersion}`,
      goto: async (address) => void (await command('POST', `${url}/url`, { url: address })),
      evaluate: (run, ...args) =>
        command('POST', `${url}/execute/sync`, { script: `return (${run})(...arguments)`, args }),
      close: async () => {
        await command('DELETE', url).catch(() => {});
        end();
      },
    };
  } catch (error) {
    end();
    throw error;
  }
}

interface NewSession {
  readonly sessionId: string;
  readonly capabilities: { readonly browserVersion: string };
}

/** One command of the WebDriver protocol. */
async function command<T>(method: string, url: string, body?: object): Promise<T> {
  const response = await fetch(url, {
    method,
    ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const { value } = await response.json();
  if (value?.error) throw new Error(`${value.error}: ${value.message}`);
  return value;
}

/** Until a server that was just started listens. */
async function untilUp<T>(attempt: () => Promise<T>): Promise<T> {
  for (const start = Date.now(); ; await new Promise((wake) => setTimeout(wake, 100))) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TypeError) || Date.now() - start > TIMEOUT_MS) throw error;
    }
  }
}

/** A screen in memory; Xvfb itself chooses a free number, and says it once the screen is there. */
async function startScreen(): Promise<{ display: string; process: ChildProcess }> {
  const process = spawn('Xvfb', ['-displayfd', '1', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const display = await new Promise<string>((resolve, reject) => {
    process.on('error', reject);
    process.on('exit', (code) => reject(new Error(`Xvfb ended with ${code}`)));
    createInterface({ input: process.stdout }).once('line', resolve);
  });
  return { display: `:${display.trim()}`, process };
}
