// Finds WebKitGTK's WebDriver, or installs it: `node scripts/webkit.mjs` prints the path of its executable.
import { existsSync } from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { findBrowser, printBrowser } from './browser.mjs';

/** @type {import('./browser.mjs').BrowserSearch} */
const search = {
  name: 'WebKitGTK driver',
  variable: 'ATOMOE_WEBKIT_DRIVER',
  commands: ['WebKitWebDriver'],
  paths: [],
  // It has no headless mode: Xvfb is its screen.
  debianPackages: ['webkit2gtk-driver', 'xvfb'],
};

/**
 * WebKitGTK's WebDriver: `ATOMOE_WEBKIT_DRIVER`, the system's, or a fresh one from apt-get.
 * @param {{ install?: boolean }} [options] `install: false` only looks.
 */
export function findWebkit(options) {
  return findBrowser(search, options);
}

/** Folders in which distributions keep the small browser that WebKitGTK brings along. */
const BROWSER_FOLDERS = ['x86_64-linux-gnu', 'aarch64-linux-gnu', '.'].flatMap((system) =>
  ['webkit2gtk-4.1', 'webkitgtk-6.0', 'webkit2gtk-4.0'].map((name) => `/usr/lib/${system}/${name}`),
);

/** The browser that the driver starts. */
export function findMiniBrowser() {
  return BROWSER_FOLDERS.map((folder) => `${folder}/MiniBrowser`).find((path) => existsSync(path));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) printBrowser(findWebkit());
