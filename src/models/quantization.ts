/** Detection of quantised checkpoints: integer weights, or floats with separate scales. */
import { AtomoeError } from '../errors.ts';
import type { ConfigValues } from './config.ts';

/** Keys under which tools describe their quantisation, and the name of the tool if the entry has none. */
const KEYS: readonly (readonly [key: string, tool: string])[] = [
  ['quantization_config', 'an unnamed kind'],
  ['compression_config', 'compressed-tensors'],
  ['quantization', 'MLX'],
];

/**
 * Rejects checkpoints quantised by other tools, which Atomoe cannot read yet. An entry that is null, false or an empty object
 * counts as absent: tools that dequantise a model to 16 bits leave such entries.
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
