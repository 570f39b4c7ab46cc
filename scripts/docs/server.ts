/** Serves the documentation site, where it is built, below the demo: what `npm start` and `npm run dev` show at /docs/. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, resolve, sep } from 'node:path';
import type { Plugin } from 'vite';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};

const NOT_BUILT =
  '<!doctype html><title>Documents</title><p>Run <code>npm run docs</code>, then reload this page.</p>';

/** The file that a path below /docs/ means; undefined where it means none. */
export async function docsFile(folder: string, path: string): Promise<string | undefined> {
  const wanted = resolve(folder, `.${path}`);
  if (wanted !== folder && !wanted.startsWith(folder + sep)) return undefined;
  for (const file of [wanted, join(wanted, 'index.html'), `${wanted}.html`]) {
    const found = await stat(file).catch(() => undefined);
    if (found?.isFile()) return file;
  }
  return undefined;
}

/** `folder`: where `npm run docs` puts the site. */
export function docsServer(folder: string): Plugin {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const file = await docsFile(folder, decodeURIComponent(pathname));
    if (file !== undefined) {
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
      createReadStream(file).pipe(response);
      return;
    }
    const isBuilt = (await docsFile(folder, '/')) !== undefined;
    response.writeHead(404, { 'content-type': TYPES['.html'] });
    response.end(isBuilt ? 'not found' : NOT_BUILT);
  };
  const use = (server: { middlewares: { use(path: string, handle: typeof answer): unknown } }): void => {
    server.middlewares.use('/docs', (request, response) => answer(request, response));
  };
  return { name: 'atomoe:docs', configureServer: use, configurePreviewServer: use };
}
