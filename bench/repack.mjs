// How fast are blocks of files moved into the layout of memory, on one core? `node bench/repack.mjs [FORMAT ...]`
//
// For each format MB/s of the file and of memory (what is written), best of several rounds, over blocks of 16 MB of memory, so that
// no cache holds them; and for scale the rate of a plain copy. Code is built as for a page.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { build } from 'vite';

const root = resolve(import.meta.dirname, '..');
const MEMORY_BYTES = 16 * 2 ** 20;
const ROUNDS = 7;

/** @returns {Promise<typeof import('./repack-entry.ts')>} */
async function built() {
  const outDir = mkdtempSync(join(tmpdir(), 'atomoe-repack-'));
  try {
    await build({
      root,
      configFile: false,
      logLevel: 'error',
      build: { ssr: 'bench/repack-entry.ts', outDir, emptyOutDir: false, minify: true },
    });
    return await import(pathToFileURL(join(outDir, 'repack-entry.js')).href);
  } finally {
    rmSync(outDir, { recursive: true });
  }
}

/** The best of several rounds, in milliseconds of processor time: other programs do not count. @param {() => void} run */
function bestMs(run) {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

const { formatOf, formatNames } = await built();
const wanted = process.argv.length > 2 ? process.argv.slice(2) : formatNames;
const copied = new Uint8Array(MEMORY_BYTES).fill(1);
const target = new Uint8Array(MEMORY_BYTES);
const copyMs = bestMs(() => target.set(copied));
console.log(`copy: ${(MEMORY_BYTES / copyMs / 1000).toFixed(0)} MB/s`);
console.log('format      file MB/s  memory MB/s');
for (const name of wanted) {
  const { planes, repack, block, sizeBytes } = formatOf(name);
  const cols = 2048;
  const rowBytes = planes(8, cols).reduce((sum, plane) => sum + plane.sizeBytes, 0) / 8;
  const rows = Math.floor(MEMORY_BYTES / rowBytes / 8) * 8;
  const source = new Uint8Array((rows * cols * sizeBytes) / block);
  let state = 1;
  for (let i = 0; i < source.length; i += 1) source[i] = (state = (state * 48271) % 0x7fffffff) >> 8;
  const into = new Uint8Array(rows * rowBytes);
  const ms = bestMs(() => {
    into.fill(0); // as `Repack` says
    repack(source, rows, cols, into);
  });
  const rate = (/** @type {number} */ bytes) => (bytes / ms / 1000).toFixed(0).padStart(10);
  console.log(`${name.padEnd(10)} ${rate(source.length)}  ${rate(into.length)}`);
}
