// Products with random matrices, in 10^9 multiply-adds a second on one core, the best of some runs: `node simd/speed.mjs
// [FORMAT ...]`. Of 32768 x 1024 weights, which no cache holds in most formats, with one row of activations, and of 512 x 1024
// with 256 rows.
import { readFileSync } from 'node:fs';
import process from 'node:process';

const ROUNDS = 20;
const SCRATCH_BYTES = 2 ** 18;
/** Bits of a weight, without its scale, in the order of their numbers in lib/numbers.ts. */
const FORMATS = {
  ...{ f32: 32, f16: 16, bf16: 16, q8_0: 8, q4_0: 4 },
  ...{
    q4_k: 4,
    q5_k: 4,
    q6_k: 4,
    q4_1: 4,
    q5_0: 4,
    q5_1: 4,
    mxfp4: 4,
    iq4_nl: 4,
    iq4_xs: 4,
    q3_k: 2,
    q2_k: 2,
    u4_g32: 4,
    iq2: 4,
    iq3: 4,
    odd: 4,
    f8_g128: 8,
    i8_g128: 8,
    fp4: 4,
    nested2: 2,
    nested3: 3,
    nested4: 4,
  },
};
const INT8 = 64; // of lib/numbers.ts
const INT8_FORMATS = ['q8_0', 'q4_0'];
const wanted = process.argv.slice(2);
const SIZES = [
  { rows: 1, cols: 1024, outs: 32768 },
  { rows: 256, cols: 1024, outs: 512 },
];

/** @param {string} name */
function open(name) {
  const bytes = readFileSync(new URL(`built/${name}.wasm`, import.meta.url));
  if (!WebAssembly.validate(bytes)) return undefined;
  const memory = new WebAssembly.Memory({ initial: 4096 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  return { memory, kernels: /** @type {Record<string, (...args: number[]) => void>} */ (exports) };
}

/**
 * Fills the memory with numbers that are small in every format: 0x2c.. is 1/16 as f16 and some 1e-12 as bf16 and f32.
 * @param {WebAssembly.Memory} memory
 */
function fill(memory) {
  const words = new Uint16Array(memory.buffer);
  for (let i = 0; i < words.length; i += 1) words[i] = 0x2c00 | ((i * 40503) & 0xff);
}

/**
 * Lets rows of nested planes say where these are: behind the scales of all.
 * @param {Uint32Array} scales
 * @param {number} cols
 * @param {number} outs
 */
function linkRows(scales, cols, outs) {
  const groups = Math.ceil(cols / 128);
  const plane = cols / 32 + Math.ceil(groups / 2);
  for (let row = 0; row < outs; row += 1) {
    const at = row * (2 + groups);
    for (let i = 0; i < 2; i += 1) scales[at + i] = outs * (2 + groups) + (i * outs + row) * plane - at;
  }
}

/** @param {() => void} run */
function bestMs(run) {
  run();
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return Math.min(...times);
}

for (const build of ['plain', 'relaxed']) {
  const opened = open(build);
  if (!opened) {
    console.log(`${build}: not in Node ${process.version}`);
    continue;
  }
  const { memory, kernels } = opened;
  fill(memory);
  const { linear } = kernels;
  if (!linear) throw new Error('the module has no kernel linear');
  for (const [number, [name, bits]] of Object.entries(FORMATS).entries()) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    for (const format of INT8_FORMATS.includes(name) ? [number, number + INT8] : [number]) {
      const speeds = SIZES.map(({ rows, cols, outs }) => {
        const x = 65536;
        const y = x + 4 * rows * cols;
        const scratch = y + 4 * rows * outs;
        const w = scratch + SCRATCH_BYTES;
        const s = w + (outs * cols * (name.startsWith('nested') ? 2 : bits)) / 8;
        if (name.startsWith('nested')) linkRows(new Uint32Array(memory.buffer, s), cols, outs);
        if (name === 'mxfp4') new Uint8Array(memory.buffer, s, (outs * cols) / 32).fill(120); // exponents
        const ms = bestMs(() => linear(format, x, w, s, 0, y, rows, cols, outs, 1, scratch, 0, outs));
        return ((rows * cols * outs) / ms / 1e6).toFixed(1);
      });
      console.log(
        `${build.padEnd(8)} ${name.padEnd(6)} ${format < INT8 ? 'f32 ' : 'int8'} ${speeds.map((speed) => speed.padStart(6)).join('')}`,
      );
    }
  }
}
