// Finds Firefox, or installs it: `node scripts/firefox.mjs` prints the path of its executable.
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { findBrowser, printBrowser } from './browser.mjs';

/** @type {import('./browser.mjs').BrowserSearch} */
const search = {
  name: 'Firefox',
  variable: 'ATOMOE_FIREFOX',
  commands: ['firefox-esr', 'firefox'],
  paths: [
    '/snap/bin/firefox',
    '/Applications/Firefox.app/Contents/MacOS/firefox',
    process.env['PROGRAMFILES'] ? join(process.env['PROGRAMFILES'], 'Mozilla Firefox/firefox.exe') : '',
  ],
  // Mesa's lavapipe is the Vulkan driver that WebGPU needs where there is no GPU.
  debianPackages: ['firefox-esr', 'mesa-vulkan-drivers'],
};

/**
 * Firefox's executable: `ATOMOE_FIREFOX`, the system's, or a fresh Firefox ESR from apt-get.
 * @param {{ install?: boolean }} [options] `install: false` only looks.
 */
export function findFirefox(options) {
  return findBrowser(search, options);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) printBrowser(findFirefox());
