// Compiles the kernels to built/*.wasm. `--check`: to memory, and compares the bytes with those that are committed.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { gzipSync } from 'node:zlib';
import asc from 'assemblyscript/asc';

const here = import.meta.dirname;
const isCheck = process.argv.includes('--check');

const FLAGS = [
  ...['--runtime', 'stub', '--noAssert', '-O3', '--enable', 'simd'],
  ...['--importMemory', '--noExportMemory', '--initialMemory', '1'],
  ...['--disableWarning', '112', '--disableWarning', '201'], // v128 stays inside; addresses have 32 bits
];
const RELAXED = ['--enable', 'relaxed-simd'];

/** @type {Record<string, string[]>} */
const BUILDS = {
  plain: [],
  relaxed: RELAXED,
};

/** @param {string[]} flags */
async function compile(flags) {
  /** @type {Uint8Array | undefined} */
  let bytes;
  const { error, stderr } = await asc.main(
    ['index.ts', '--baseDir', here, '--outFile', 'built.wasm', ...FLAGS, ...flags],
    { writeFile: (_name, contents) => void (bytes = /** @type {Uint8Array} */ (contents)) },
  );
  process.stderr.write(stderr.toString());
  if (error) throw error;
  if (!bytes) throw new Error('the compiler wrote nothing');
  return bytes;
}

let zipped = 0;
const differ = [];
mkdirSync(resolve(here, 'built'), { recursive: true });
for (const [name, flags] of Object.entries(BUILDS)) {
  const bytes = await compile(flags);
  const file = resolve(here, 'built', `${name}.wasm`);
  if (!isCheck) writeFileSync(file, bytes);
  else if (!existsSync(file) || !readFileSync(file).equals(bytes)) differ.push(name);
  const size = gzipSync(bytes, { level: 9 }).length;
  zipped += size;
  console.log(`${name.padEnd(16)} ${String(bytes.length).padStart(6)} bytes, gzip ${size}`);
}
console.log(`gzip in all: ${zipped} bytes`);
if (differ.length > 0) {
  console.error(
    `simd/built: ${differ.join(', ')} not as their sources say; run node simd/build.mjs and commit`,
  );
  process.exitCode = 1;
}
