// Finds Chromium, or installs it: `node scripts/chromium.mjs` prints the path of its executable.
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright';
import { findBrowser, printBrowser } from './browser.mjs';

const programFiles = [
  process.env['PROGRAMFILES'],
  process.env['PROGRAMFILES(X86)'],
  process.env['LOCALAPPDATA'],
];

/** @type {import('./browser.mjs').BrowserSearch} */
const search = {
  name: 'Chromium',
  variable: 'ATOMOE_CHROMIUM',
  bundled: () => chromium.executablePath(),
  commands: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'],
  paths: [
    '/snap/bin/chromium',
    '/opt/google/chrome/chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    ...programFiles.map((folder) => (folder ? join(folder, 'Google/Chrome/Application/chrome.exe') : '')),
    ...programFiles.map((folder) => (folder ? join(folder, 'Microsoft/Edge/Application/msedge.exe') : '')),
  ],
  debianPackages: ['chromium'],
};

/**
 * Chromium's executable: `ATOMOE_CHROMIUM`, Playwright's own, the system's, or a fresh one from apt-get.
 * @param {{ install?: boolean }} [options] `install: false` only looks.
 */
export function findChromium(options) {
  return findBrowser(search, options);
}

/** Like `findChromium`, but throws the sentence that says what to install. */
export function requireChromium() {
  const result = findChromium();
  if ('missing' in result) throw new Error(result.missing);
  return result.path;
}

/**
 * Flags of every Chromium that tests and benches start. `ATOMOE_GPU=hardware` takes the machine's own adapter;
 * otherwise WebGPU runs on SwiftShader, which every machine has.
 */
export function chromiumFlags() {
  return [
    '--headless=new',
    '--no-sandbox',
    '--enable-unsafe-webgpu',
    ...(process.env['ATOMOE_GPU'] === 'hardware'
      ? ['--enable-features=Vulkan', '--ignore-gpu-blocklist']
      : ['--use-webgpu-adapter=swiftshader']),
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
  ];
}

/**
 * The Vulkan driver manifest of the SwiftShader that ships with Chromium, for Dawn in Node (`VK_ICD_FILENAMES`).
 * @returns {string | undefined} undefined where no Chromium with SwiftShader is at hand
 */
export function swiftshaderManifest() {
  const result = findChromium({ install: false });
  const folders = ['/usr/lib/chromium', '/usr/lib/chromium-browser', '/usr/lib64/chromium-browser'];
  folders.push('/opt/google/chrome');
  if ('path' in result) folders.unshift(...besides(realpathSync(result.path)));
  return folders.map((folder) => join(folder, 'vk_swiftshader_icd.json')).find((path) => existsSync(path));
}

/**
 * Folders that a build of Chromium keeps its libraries in: the executable's own, and on macOS the framework's.
 * @param {string} executable
 */
function besides(executable) {
  const folder = dirname(executable);
  const frameworks = join(folder, '../Frameworks');
  if (!existsSync(frameworks)) return [folder];
  const versions = readdirSync(frameworks).map((name) =>
    join(frameworks, name, 'Versions/Current/Libraries'),
  );
  return [folder, ...versions];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) printBrowser(findChromium());
