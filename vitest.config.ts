import process from 'node:process';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { chromiumFlags, findChromium, swiftshaderManifest } from './scripts/chromium.mjs';

const gpuTests = ['src/**/*.gpu.test.ts'];

/** Only looked for here: `npm test` installs it first where it must, and `--project unit` works without one. */
const chromium = findChromium({ install: false });

/** Node runs on Dawn take SwiftShader as their Vulkan driver, unless the caller named another. */
const manifest = process.env['VK_ICD_FILENAMES'] ?? swiftshaderManifest();

/** One Chromium project; `limits` tells tests what the device may be opened with (see scripts/README.md). */
function gpuProject(name: string, include: string[], limits: 'plan' | 'default') {
  return {
    define: { 'import.meta.env.VITE_ATOMOE_LIMITS': JSON.stringify(limits) },
    // Named, so that no dependency is discovered in mid-run: that would reload the page under a running test.
    optimizeDeps: {
      include: ['wgsl-preprocessor/wgsl-preprocessor.js', '@huggingface/jinja', '@huggingface/tokenizers'],
    },
    test: {
      name,
      include,
      // One page and one device for all files: opening them costs more than most tests.
      isolate: false,
      fileParallelism: false,
      testTimeout: 60_000,
      browser: {
        enabled: true,
        // The headless shell build has no WebGPU; the full browser gets its own headless flag.
        headless: false,
        ui: false,
        screenshotFailures: false,
        provider: playwright({
          launchOptions: {
            ...('path' in chromium ? { executablePath: chromium.path } : {}),
            args: chromiumFlags(),
          },
        }),
        instances: [{ browser: 'chromium' as const }],
      },
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{src,bench,scripts}/**/*.test.ts'],
          exclude: gpuTests,
          env: manifest === undefined ? {} : { VK_ICD_FILENAMES: manifest },
        },
      },
      gpuProject('gpu', gpuTests, 'plan'),
      gpuProject('gpu-default-limits', ['src/{models,engine}/**/*.gpu.test.ts'], 'default'),
    ],
  },
});
