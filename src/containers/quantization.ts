/** Quantised checkpoints of safetensors: the config names the method, whose code is loaded, and makes weights of what files have instead. */
import { AtomoeError } from '../errors.ts';
import { isJsonObject, type JsonObject } from '../io/json-file.ts';
import type { Quantization } from './tensor-files.ts';

/** Keys under which tools describe their quantisation, and the name of the tool if the entry has none. */
const KEYS: readonly (readonly [key: string, tool: string])[] = [
  ['quantization_config', 'an unnamed kind'],
  ['compression_config', 'compressed-tensors'],
  ['quantization', 'MLX'],
];

/** A method's code, given its settings; `where` names them in errors. */
type Method = (settings: JsonObject, where: string) => Quantization;

/** Every method that is read, by `quant_method`: a new one is a row here. */
const METHODS: Readonly<Record<string, () => Promise<Method>>> = {
  mxfp4: async () => (await import('./quantized/mxfp4.ts')).mxfp4,
  fp8: async () => (await import('./quantized/fp8.ts')).fp8,
  'compressed-tensors': async () => (await import('./quantized/compressed-tensors.ts')).compressedTensors,
  gptq: async () => (await import('./quantized/gptq.ts')).gptq,
  awq: async () => (await import('./quantized/awq.ts')).awq,
};

/** Names of the methods, as configs have them. */
export const QUANTIZATION_METHODS: readonly string[] = Object.keys(METHODS);

/**
 * How the weights of a checkpoint are quantised. An entry that is null, false or an empty object counts as absent: tools that
 * dequantise a model to 16 bits leave such entries.
 *
 * @returns undefined where they are not
 * @throws {AtomoeError} unsupported-model - in a way that is not read, with its name
 */
export async function quantizationOf(config: JsonObject, label: string): Promise<Quantization | undefined> {
  for (const [key, tool] of KEYS) {
    const value = Object.hasOwn(config, key) ? (config[key] ?? false) : false;
    const isNone = value === false || (typeof value === 'object' && Object.keys(value).length === 0);
    if (isNone) continue;
    const name = methodOf(value) ?? tool;
    const load = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
    if (load && isJsonObject(value)) return (await load())(value, `${label} config.json ${key}`);
    throw new AtomoeError(
      'unsupported-model',
      `${label} config.json: the weights are quantised by ${name} (${key}); Atomoe reads ` +
        `${QUANTIZATION_METHODS.join(', ')}, and F32, F16 and BF16 weights; choose one of these versions of the model, or a ` +
        'GGUF file',
    );
  }
  return undefined;
}

/** The method of an entry. */
function methodOf(value: unknown): string | undefined {
  if (typeof value === 'string' && value !== '') return value;
  const entry = value as JsonObject; // a list or a number has none of these keys
  const method = entry['quant_method'];
  if (typeof method === 'string' && method !== '') return method;
  return entry['load_in_8bit'] === true || entry['load_in_4bit'] === true ? 'bitsandbytes' : undefined;
}
