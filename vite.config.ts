import { resolve } from 'node:path';
import { defineConfig, type Connect, type Plugin } from 'vite';
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
  plugins: [isolationOfAll(), grammarLibrary(), docsServer(resolve(import.meta.dirname, 'dist/docs'))],
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
        sw: resolve(demo, 'sw.ts'),
      },
      // A service worker keeps its name and stands above all that it serves.
      output: {
        entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
        codeSplitting: { groups: chunkGroups },
      },
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
