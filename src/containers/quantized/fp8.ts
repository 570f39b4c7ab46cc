/**
 * Weights in 8-bit floats (E4M3), as DeepSeek-V3 has them: `weight` F8_E4M3 [rows, cols] and `weight_scale_inv`, which is
 * multiplied: a scale for each 128 x 128 weights, or for all. Modules without scales are in 16 bits, whatever the config lists.
 */
import type { JsonObject } from '../../io/json-file.ts';
import type { Quantization } from '../tensor-files.ts';
import { readByteRows, SCALED_COLS } from './byte-rows.ts';
import { Parts } from './parts.ts';
import { takeScales } from './scales.ts';
import { Settings } from './settings.ts';

/** @throws {AtomoeError} unsupported-model - other floats, or blocks that are no multiple of 128 columns */
export function fp8(values: JsonObject, where: string): Quantization {
  const settings = new Settings(values, where);
  settings.oneOf('fmt', ['e4m3', 'float8_e4m3fn', 'float8_e4m3']);
  const block = settings.block('weight_block_size', SCALED_COLS);
  return (opened, label) => {
    const parts = new Parts(opened, label);
    addFloats(parts, 'weight_scale_inv', block);
    return parts.done();
  };
}

/**
 * Makes a weight of each tensor of 8-bit floats.
 *
 * @param scales - what their scales are called, unless they are `weight_scale`, as some tools have them
 * @param block - how many rows and columns share a scale; undefined: a row, or all
 */
export function addFloats(
  parts: Parts,
  scales: string,
  block: readonly [rows: number, cols: number] | undefined,
): void {
  for (const module of parts.stems('.weight')) {
    const name = `${module}.weight`;
    const info = parts.find(name)?.info;
    if (info?.dtype !== 'F8_E4M3' || info.shape.length !== 2) continue;
    const codes = parts.take(name, { dtypes: ['F8_E4M3'], shape: [-1, -1] });
    const [rows = 0, cols = 0] = info.shape;
    const called = parts.find(`${module}.weight_scale`) ? 'weight_scale' : scales;
    const grid = takeScales(parts, `${module}.${called}`, { rows, cols }, { block });
    parts.drop(`${module}.input_scale`); // of activations, which are not quantised here
    parts.make(name, {
      dtype: 'F8_G128',
      rows,
      cols,
      source: codes,
      compose: (range, read) => readByteRows({ codes, scales: grid, cols }, range, read),
    });
  }
}
