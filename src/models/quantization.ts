/** Checkpoints whose weights are integers, or floats that mean nothing without their scales. */
import { AtomoeError } from '../errors.ts';
import type { ConfigValues } from './config.ts';

/** Keys under which tools write how they quantised, and the tool where the entry itself does not say. */
const KEYS: readonly (readonly [key: string, tool: string])[] = [
  ['quantization_config', 'an unnamed kind'],
  ['compression_config', 'compressed-tensors'],
  ['quantization', 'MLX'],
];

/**
 * Refuses what was quantised by others: Atomoe reads no such format yet. An entry that is null, false or an empty object
 * says nothing, as if it were absent: tools that turn a model back to 16 bits leave it so.
 *
 * @throws {AtomoeError} unsupported-model - with the format's name
 */
export function refuseQuantized(config: ConfigValues, label: string): void {
  for (const [key, tool] of KEYS) {
    const value = Object.hasOwn(config, key) ? (config[key] ?? false) : false;
    const isNone = value === false || (typeof value === 'object' && Object.keys(value).length === 0);
    if (isNone) continue;
    throw new AtomoeError(
      'unsupported-model',
      `${label} config.json: the weights are quantised by ${methodOf(value) ?? tool} (${key}); Atomoe ` +
        `reads F32, F16 and BF16 weights; choose the model's 16-bit version, and let Atomoe quantise it`,
    );
  }
}

function methodOf(value: unknown): string | undefined {
  if (typeof value === 'string' && value !== '') return value;
  const entry = value as ConfigValues; // a list or a number has none of these keys
  const method = entry['quant_method'];
  if (typeof method === 'string' && method !== '') return method;
  return entry['load_in_8bit'] === true || entry['load_in_4bit'] === true ? 'bitsandbytes' : undefined;
}
