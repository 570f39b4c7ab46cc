import { resolve } from 'node:path';
import { createServer } from 'vite';

/**
 * Runs TypeScript of this repository in Node, with what it imports later on.
 *
 * @template T
 * @param {(load: (file: string) => Promise<Record<string, any>>) => Promise<T>} use - `file` is relative to `bench/`
 */
export async function withModules(use) {
  const server = await createServer({
    configFile: false,
    root: resolve(import.meta.dirname, '..'),
    appType: 'custom',
    logLevel: 'warn',
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true },
  });
  try {
    return await use((file) => server.ssrLoadModule(resolve(import.meta.dirname, file)));
  } finally {
    await server.close();
  }
}
