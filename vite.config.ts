import { resolve } from 'node:path';
import { build, defineConfig, type Connect, type Plugin } from 'vite';
import { ISOLATION } from './demo/offline/isolation.ts';
import { docsServer } from './scripts/docs/server.ts';
import { chunkGroups } from './scripts/chunk-groups.ts';
import { grammarLibrary } from './vite.lib.config.ts';

const demo = resolve(import.meta.dirname, 'demo');

/** The demo: `npm start` builds and serves it, `npm run dev` serves the sources. Tests have vitest.config.ts. */
export default defineConfig({
  root: demo,
  // Relative URLs, so that the built page also works from a subfolder of any static host.
  base: './',
  // A missing file must answer 404: with the default fallback to index.html, a probe for an optional model file
  // would be told "200, here is some HTML".
  appType: 'mpa',
  plugins: [
    isolationOfAll(),
    serviceWorker(),
    grammarLibrary(),
    docsServer(resolve(import.meta.dirname, 'dist/docs')),
  ],
  worker: {
    format: 'es',
    plugins: () => [grammarLibrary()],
    rolldownOptions: { output: { codeSplitting: { groups: chunkGroups } } },
  },
  optimizeDeps: { exclude: ['@mlc-ai/web-xgrammar'] },
  server: { fs: { allow: [import.meta.dirname] } },
  build: {
    outDir: resolve(import.meta.dirname, 'dist/demo'),
    emptyOutDir: true,
    target: 'es2022',
    chunkSizeWarningLimit: 1100, // kB: the library for replies with a shape, loaded with the first of them
    // The story models are copied as they are; gzip sizes of megabytes of weights say nothing.
    reportCompressedSize: false,
    rolldownOptions: {
      // A slow machine is told nothing by the share of its build time.
      checks: { pluginTimings: false },
      input: {
        index: resolve(demo, 'index.html'),
        chat: resolve(demo, 'chat.html'),
        routing: resolve(demo, 'routing.html'),
      },
      output: { codeSplitting: { groups: chunkGroups } },
    },
  },
});

/**
 * The headers of isolation on every answer. Vite's own option leaves them out of 304, and WebKit then refuses the scripts of
 * workers that it has kept.
 */
function isolationOfAll(): Plugin {
  const use = ({ middlewares }: { middlewares: Connect.Server }): void => {
    middlewares.use((_request, response, next) => {
      for (const [name, value] of Object.entries(ISOLATION)) response.setHeader(name, value);
      next();
    });
  };
  return { name: 'atomoe:isolation', configureServer: use, configurePreviewServer: use };
}

/**
 * Builds the service worker, which keeps its name and stands above all that it serves. It is one script, apart from the
 * page's: one that imports would have to be a module, and not all browsers have service workers that are.
 */
function serviceWorker(): Plugin {
  return {
    name: 'atomoe:service-worker',
    apply: 'build',
    async generateBundle() {
      const built = await build({
        configFile: false,
        publicDir: false,
        logLevel: 'warn',
        build: {
          write: false,
          target: 'es2022',
          lib: { formats: ['iife'], entry: resolve(demo, 'sw.ts'), name: 'atomoe' },
        },
      });
      const [output] = [built].flat();
      if (!output || !('output' in output) || output.output.length !== 1)
        throw new Error('the service worker is not one script');
      this.emitFile({ type: 'asset', fileName: 'sw.js', source: output.output[0].code });
    },
  };
}
