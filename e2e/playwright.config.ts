import { register } from 'node:module';
import process from 'node:process';
import { defineConfig } from 'playwright/test';
import { chromiumFlags, requireChromium } from '../scripts/chromium.mjs';
import { freePort } from './free-port.ts';

register('./wgsl-loader.mjs', import.meta.url);

// A free one, so that tests of two checkouts run side by side. Playwright reads this file again in each worker process; the variable hands the first answer down.
const port = (process.env['ATOMOE_E2E_PORT'] ??= String(await freePort()));

export default defineConfig({
  testDir: import.meta.dirname,
  // Not what Vitest runs: e2e/clients has tests of its kind.
  testMatch: '*.spec.ts',
  outputDir: '../test-results',
  // One software GPU on few cores: pages beside each other only slow each other down.
  workers: 1,
  retries: 0,
  forbidOnly: Boolean(process.env['CI']),
  timeout: 120_000,
  expect: { timeout: 30_000 },
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    // The headless shell build has no WebGPU; the full browser gets its own headless flag.
    headless: false,
    launchOptions: { executablePath: requireChromium(), args: chromiumFlags() },
  },
  webServer: {
    // The README's own command, so that what visitors start is what is tested.
    command: `npm start -- --host 127.0.0.1 --port ${port} --strictPort`,
    cwd: '..',
    url: `http://127.0.0.1:${port}/`,
    timeout: 120_000,
  },
});
