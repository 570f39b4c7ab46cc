// A built page as `vite preview` serves it, and what it sent.
import { gzipSync } from 'node:zlib';
import { preview } from 'vite';

/** @typedef {{ path: string, body: Buffer, isCompressed: boolean, atMs: number, isForLater: boolean }} Answer - at: on the clock of Date.now(); for later: what a service worker keeps for visits without a network */

/**
 * Serves a page, and keeps what it sent: nothing is compressed or summed up while a visit is measured.
 *
 * @param {import('vite').InlineConfig} config
 * @param {Answer[]} answers - gets what was sent
 */
export function serveCounted(config, answers) {
  return preview({
    ...config,
    logLevel: 'error',
    preview: { host: '127.0.0.1', port: 0, ...config.preview },
    plugins: [
      {
        name: 'bench:count',
        configurePreviewServer({ middlewares }) {
          middlewares.use((request, response, next) => {
            const atMs = Date.now();
            const path = new URL(request.url ?? '/', 'http://localhost').pathname;
            // Vite would compress what has no type of its own.
            if (isWeights(path)) delete request.headers['accept-encoding'];
            /** @type {Buffer[]} */
            const parts = [];
            const keep = (/** @type {unknown} */ chunk) => {
              if (request.method === 'HEAD') return; // Node sends no body, whatever is written
              if (typeof chunk === 'string' || chunk instanceof Uint8Array) parts.push(Buffer.from(chunk));
            };
            const { write, end } = response;
            response.write = /** @type {typeof write} */ (
              (/** @type {any[]} */ ...args) => {
                keep(args[0]);
                return write.apply(response, /** @type {any} */ (args));
              }
            );
            response.end = /** @type {typeof end} */ (
              (/** @type {any[]} */ ...args) => {
                keep(args[0]);
                const isForLater = (request.headers.referer ?? '').endsWith('/sw.js');
                const isCompressed = response.hasHeader('content-encoding');
                answers.push({ path, body: Buffer.concat(parts), isCompressed, atMs, isForLater });
                return end.apply(response, /** @type {any} */ (args));
              }
            );
            next();
          });
        },
      },
    ],
  });
}

/** Weights are numbers, which hosts send as they are; all else is compressed. @param {string} path */
const isWeights = (path) => /\.(safetensors|gguf)$/.test(path);

/**
 * What was sent while `fromMs <= at < toMs`, on the clock of Date.now().
 *
 * @param {readonly Answer[]} answers @param {number} fromMs @param {number} toMs
 */
export function sentBetween(answers, fromMs, toMs) {
  const all = answers.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
  const sent = all.filter(({ isForLater }) => !isForLater);
  const gzipBytes = (/** @type {Answer[]} */ list) =>
    list.reduce(
      (sum, { body, isCompressed }) => sum + (isCompressed ? body.length : gzipSync(body).length),
      0,
    );
  return {
    requests: sent.length,
    gzipBytes: gzipBytes(sent.filter(({ path }) => !isWeights(path))),
    weightBytes: sent.filter(({ path }) => isWeights(path)).reduce((sum, { body }) => sum + body.length, 0),
    laterBytes: gzipBytes(all.filter(({ isForLater }) => isForLater)),
  };
}

/** @param {readonly number[]} values */
export function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
