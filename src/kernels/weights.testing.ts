/** Random weight matrices in every format, for kernel tests: packed by hand from the layout's description. */
import { WEIGHTS_PER_UNIT, type WeightFormat } from './common.ts';
import { halfBits, halfValue, randomNormal, randomStream } from './testing.ts';

export interface TestWeights {
  readonly words: Uint32Array<ArrayBuffer>; // what is bound
  readonly scales: number; // the param: first word of the scales
  readonly values: Float32Array<ArrayBuffer>; // [rows, cols] what the kernel should see
}

export function testWeights(format: WeightFormat, rows: number, cols: number, seed: number): TestWeights {
  if (format === 'q8_0' || format === 'q4_0') return quantised(format, rows, cols, seed);
  const values = randomNormal(rows * cols, seed, 0.5);
  if (format === 'f32') return { words: new Uint32Array(values.buffer), scales: 0, values };
  const bits = Uint16Array.from(values, format === 'f16' ? halfBits : brainBits);
  const exact = Float32Array.from(bits, format === 'f16' ? halfValue : brainValue);
  const words = new Uint32Array((4 * rows * cols) / WEIGHTS_PER_UNIT[format]);
  new Uint16Array(words.buffer).set(bits);
  return { words, scales: 0, values: exact };
}

function brainBits(value: number): number {
  return (new Uint32Array(new Float32Array([value]).buffer)[0] ?? 0) >>> 16; // truncated: any bf16 will do
}

function brainValue(bits: number): number {
  return new Float32Array(new Uint32Array([bits << 16]).buffer)[0] ?? 0;
}

function quantised(format: 'q8_0' | 'q4_0', rows: number, cols: number, seed: number): TestWeights {
  const next = randomStream(seed);
  const blocks = (rows * cols) / 32;
  const quantBytes = blocks * (format === 'q8_0' ? 32 : 16);
  const words = new Uint32Array(quantBytes / 4 + 4 * Math.ceil(blocks / 8));
  const bytes = new Uint8Array(words.buffer);
  const halves = new Uint16Array(words.buffer, quantBytes, blocks);
  const values = new Float32Array(rows * cols);
  for (let i = 0; i < quantBytes; i += 1) bytes[i] = 256 * next();
  for (let block = 0; block < blocks; block += 1) {
    const scale = (next() - 0.3) / (format === 'q8_0' ? 128 : 8); // some are negative, as ggml's may be
    halves[block] = halfBits(scale);
    for (let j = 0; j < 32; j += 1) {
      const quant = format === 'q8_0' ? signed(bytes, 32 * block + j) : nibble(bytes, 16 * block, j);
      values[32 * block + j] = halfValue(halves[block] ?? 0) * quant;
    }
  }
  return { words, scales: quantBytes / 4, values };
}

function signed(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 24) >> 24;
}

/** Byte j of a block holds weight j low and weight j + 16 high, both less 8. */
function nibble(bytes: Uint8Array, block: number, j: number): number {
  const byte = bytes[block + (j % 16)] ?? 0;
  return (j < 16 ? byte & 15 : byte >> 4) - 8;
}
