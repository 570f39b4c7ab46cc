import { resolve } from 'node:path';
import process from 'node:process';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import type { BrowserConfigOptions } from 'vitest/node';
import { chromiumFlags, findChromium, swiftshaderManifest } from './scripts/chromium.mjs';
import { findFirefox } from './scripts/firefox.mjs';
import { firefoxProvider } from './scripts/firefox-provider.mjs';
import { findMesa } from './scripts/mesa.mjs';
import { bareShaders, grammarLibrary } from './vite.lib.config.ts';

// Browsers are only looked for here: `npm test` installs them first where it must, and the unit lane needs none.
const chromium = findChromium({ install: false });
const firefox = findFirefox({ install: false });

/** Node runs on Dawn take SwiftShader as their Vulkan driver, unless the caller named another. */
const manifest = process.env['VK_ICD_FILENAMES'] ?? swiftshaderManifest();

const gpuTests = ['src/**/*.gpu.test.ts'];
/** Tests that only mean something with shader-f16, which SwiftShader lacks. */
const f16Tests = ['src/**/*.f16.gpu.test.ts'];
/** Tests that take many minutes: `npm run test:slow`. */
const slowTests = ['src/**/*.slow.test.ts'];
/** Tests of whole models on an adapter that is treated as hardware. */
const hardwareTests = ['src/**/*.hardware.test.ts'];
const hasHalves = process.env['ATOMOE_GPU'] === 'hardware';

/** Loads every weight format: tests name formats without a model that is in them. */
const FORMATS = 'scripts/formats.ts';

/** A build's plugin makes it a module that Node can load. */
const GRAMMAR = '@mlc-ai/web-xgrammar';
const inNode = { plugins: [bareShaders(), grammarLibrary()], server: { deps: { inline: [GRAMMAR] } } };

/** Only a test that hangs takes so long: no test may fail because the machine is busy. */
const timeouts = { testTimeout: 300_000, hookTimeout: 300_000 };

/**
 * Leaves workgroup memory as it was. No kernel may rely on zeros, and SwiftShader compiles them into one instruction for
 * each element, which takes seconds for a tile. The end-to-end lane runs Chromium as users do.
 */
const NO_ZEROS = '--enable-dawn-features=disable_workgroup_init';

/** Chromium, made anew for each project: Vitest writes the project's name into it. */
function inChromium(): BrowserConfigOptions {
  const executable = 'path' in chromium ? { executablePath: chromium.path } : {};
  return {
    // The headless shell build has no WebGPU; the full browser gets its own headless flag.
    headless: false,
    provider: playwright({ launchOptions: { ...executable, args: [...chromiumFlags(), NO_ZEROS] } }),
    instances: [{ browser: 'chromium' }],
  };
}

/** What examples and documents import, from the sources. */
const PACKAGE = [
  { find: /^atomoe$/, replacement: resolve(import.meta.dirname, 'src/index.ts') },
  { find: /^atomoe\/ops$/, replacement: resolve(import.meta.dirname, 'src/ops.ts') },
  { find: /^atomoe\/node$/, replacement: resolve(import.meta.dirname, 'src/node.ts') },
  { find: /^atomoe\/ai-sdk$/, replacement: resolve(import.meta.dirname, 'src/ai-sdk/index.ts') },
  { find: /^atomoe\/openai$/, replacement: resolve(import.meta.dirname, 'src/openai/index.ts') },
];

/** A project that runs in a browser. */
function browserProject(
  name: string,
  files: { include: string[]; exclude?: string[]; setupFiles?: string[] },
  browser: BrowserConfigOptions,
) {
  return {
    plugins: [bareShaders(), grammarLibrary()],
    resolve: { alias: PACKAGE },
    cacheDir: `node_modules/.vite/${name}`,
    // Named, so that no dependency is discovered in mid-run: that would reload the page under a running test.
    optimizeDeps: {
      include: ['@huggingface/tokenizers'],
      exclude: [GRAMMAR],
    },
    test: {
      name,
      env: {
        VITE_ATOMOE_LANE: name,
        VITE_ATOMOE_TESTS: process.env['ATOMOE_TESTS'] ?? 'all',
        VITE_ATOMOE_ADAPTER: process.env['ATOMOE_ADAPTER'] ?? '',
      },
      ...files,
      setupFiles: [FORMATS, 'scripts/adapter-class.ts', ...(files.setupFiles ?? [])],
      // One page and one device for all files: opening them costs more than most tests.
      isolate: false,
      fileParallelism: false,
      ...timeouts,
      // A busy machine may take long to start a browser.
      browser: { enabled: true, ui: false, screenshotFailures: false, connectTimeout: 180_000, ...browser },
    },
  };
}

function firefoxProjects() {
  if ('missing' in firefox) return [];
  const files = {
    include: ['src/kernels/**/*.gpu.test.ts', 'src/simd/*.gpu.test.ts', ...f16Tests],
    setupFiles: ['scripts/firefox-nudge.ts'],
  };
  const browser = { provider: firefoxProvider(firefox.path), instances: [{ browser: 'firefox' as const }] };
  return [browserProject('firefox', files, { headless: true, ...browser })];
}

/** Dawn in Node on Mesa's software Vulkan: the one adapter at hand with shader-f16 and subgroups together. */
function mesaProjects() {
  const mesa = findMesa({ fetch: false });
  if ('missing' in mesa) return [];
  return [
    {
      plugins: inNode.plugins,
      test: {
        name: 'mesa',
        server: inNode.server,
        include: ['src/kernels/**/*.gpu.test.ts', ...f16Tests],
        // It compiles shaders, and takes a second or more for each; here that is not what is tested.
        exclude: ['src/kernels/shaders.f16.gpu.test.ts'],
        setupFiles: [FORMATS, 'scripts/dawn.ts'],
        ...timeouts,
        env: {
          VITE_ATOMOE_LANE: 'mesa',
          VK_ICD_FILENAMES: mesa.path,
          ATOMOE_ADAPTER: 'hardware',
        },
      },
    },
  ];
}

export default defineConfig({
  test: {
    // `npm test` leaves them out, `npm run test:all` does not.
    tags: [{ name: 'full', description: 'Runs in test:all only.' }],
    projects: [
      {
        plugins: inNode.plugins,
        resolve: { alias: PACKAGE },
        test: {
          server: inNode.server,
          name: 'unit',
          include: ['{src,demo,bench,scripts,e2e/clients,e2e/llama,e2e/tokenizers}/**/*.test.ts'],
          setupFiles: [FORMATS],
          exclude: [...gpuTests, ...slowTests, ...hardwareTests, '**/node_modules/**'],
          ...timeouts,
          env: manifest === undefined ? {} : { VK_ICD_FILENAMES: manifest },
        },
      },
      {
        plugins: inNode.plugins,
        test: {
          server: inNode.server,
          name: 'slow',
          include: slowTests,
          setupFiles: [FORMATS],
          testTimeout: 3_600_000,
          fileParallelism: false,
          env: manifest === undefined ? {} : { VK_ICD_FILENAMES: manifest },
        },
      },
      browserProject('gpu', { include: gpuTests, exclude: hasHalves ? [] : f16Tests }, inChromium()),
      ...firefoxProjects(),
      {
        plugins: inNode.plugins,
        test: {
          server: inNode.server,
          name: 'hardware',
          include: hardwareTests,
          setupFiles: [FORMATS, 'scripts/dawn.ts'],
          ...timeouts,
          env: {
            ATOMOE_ADAPTER: 'hardware',
            ...(manifest === undefined ? {} : { VK_ICD_FILENAMES: manifest }),
          },
        },
      },
      ...mesaProjects(),
    ],
  },
});
