/**
 * GPTQ in four or eight bits: `qweight` I32 [cols * bits / 32, rows], columns in a word from the lowest bits on. Zeros are stored
 * less 1, unless `checkpoint_format` is gptq_v2.
 */
import type { JsonObject } from '../../io/json-file.ts';
import type { Quantization } from '../tensor-files.ts';
import { addInputMajor } from './input-major.ts';
import { BLOCK } from './nibbles.ts';
import { Parts } from './parts.ts';
import { Settings } from './settings.ts';

/** @throws {AtomoeError} unsupported-model - other bits or groups, or another layout */
export function gptq(values: JsonObject, where: string): Quantization {
  const settings = new Settings(values, where);
  const bits = settings.oneOf('bits', [4, 8]);
  // Static groups are chosen before columns are ordered, and stay consecutive.
  const isOrdered =
    settings.oneOf('desc_act', [false, true]) && !settings.oneOf('static_groups', [false, true]);
  const format = settings.oneOf('checkpoint_format', ['gptq', 'gptq_v2']);
  const groupCols = settings.size('group_size', BLOCK);
  const isSymmetric = settings.oneOf('sym', [false, true]);
  return (opened, label) => {
    const parts = new Parts(opened, label);
    addInputMajor(parts, {
      bits,
      perWord: [32 / bits, 1],
      gather,
      zeroShift: (row) => (bits * row) & 31,
      zeroBias: format === 'gptq' ? 1 : 0,
      isSymmetric,
      groupCols,
      isOrdered,
    });
    // AutoGPTQ gave every module a bias, of zeros where the model has none.
    for (const module of parts.stems('.qweight')) parts.unlist(`${module}.bias`);
    return parts.done();
  };
}

function gather(words: Uint32Array, row: number, block: number, rows: number, to: Uint8Array): void {
  const perBlock = to.length / 4;
  for (let k = 0; k < perBlock; k += 1) {
    const word = words[(perBlock * block + k) * rows + row] ?? 0;
    for (let i = 0; i < 4; i += 1) to[4 * k + i] = word >>> (8 * i);
  }
}
