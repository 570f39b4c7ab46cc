/** Fixture models as quantising tools would have saved them, each beside the same model with its values in f32. */
import { encodeMxfp4, type Encode, type Encoded } from '../containers/quantized.testing.ts';
import type { FolderSource } from '../io/source.ts';
import { editedModel, fuse, take, type StoredTensor, type StoredTensors } from './edited-model.testing.ts';

/** A model in a quantised layout, and with the values that its tensors stand for. */
export interface QuantizedPair {
  readonly quantized: FolderSource;
  readonly plain: FolderSource;
}

/** Replaces weights by what `encode` makes of them. `which` matches their names, and its first group is the module's. */
export async function quantizedPair(
  folder: FolderSource,
  { config, encode, which }: { readonly config: object; readonly encode: Encode; readonly which: RegExp },
): Promise<QuantizedPair> {
  return pairOf(folder, config, (tensors, isPlain) => {
    for (const name of [...tensors.keys()]) {
      const module = which.exec(name)?.[1];
      if (module === undefined) continue;
      const tensor = take(tensors, name);
      const [rows = 0, cols = 0] = tensor.shape;
      const { parts, values } = encode(floats(tensor), rows, cols);
      if (isPlain) tensors.set(name, stored(values, rows, cols));
      else for (const [part, each] of Object.entries(parts)) tensors.set(`${module}.${part}`, each);
    }
  });
}

/** gpt-oss with its experts in MXFP4, as its own files have them. */
export async function mxfp4Pair(folder: FolderSource): Promise<QuantizedPair> {
  const config = { quant_method: 'mxfp4', modules_to_not_convert: ['lm_head'] };
  return pairOf(folder, config, (tensors, isPlain) => {
    for (const name of [...tensors.keys()]) {
      if (!/\.experts\.\w+_proj$/.test(name)) continue;
      const tensor = take(tensors, name);
      const [experts = 0, inputs = 0, outputs = 0] = tensor.shape;
      const all = Array.from({ length: experts }, (_, expert) => {
        const own = floats(tensor).subarray(expert * inputs * outputs, (expert + 1) * inputs * outputs);
        return encodeMxfp4(transposed(own, inputs, outputs), outputs, inputs);
      });
      if (isPlain) {
        const back = all.map(({ values }) => [stored(transposed(values, outputs, inputs), inputs, outputs)]);
        tensors.set(name, fuse(back));
      } else for (const part of ['blocks', 'scales']) tensors.set(`${name}_${part}`, stack(all, part));
    }
  });
}

async function pairOf(
  folder: FolderSource,
  quantization_config: object,
  edit: (tensors: StoredTensors, isPlain: boolean) => void,
): Promise<QuantizedPair> {
  const plain = await editedModel(folder, { tensors: (tensors) => edit(tensors, true) });
  const quantized = await editedModel(folder, {
    config: { quantization_config },
    tensors: (tensors) => edit(tensors, false),
  });
  return { quantized, plain };
}

function stack(all: readonly Encoded[], part: string): StoredTensor {
  const parts = all.flatMap(({ parts: { [part]: found } }) => found ?? []);
  const [first] = parts;
  if (!first) throw new Error(`no ${part}`);
  const bytes = new Uint8Array(parts.reduce((sum, each) => sum + each.bytes.byteLength, 0));
  for (const [index, each] of parts.entries()) bytes.set(each.bytes, index * first.bytes.byteLength);
  return { dtype: first.dtype, shape: [parts.length, ...first.shape], bytes };
}

function floats({ bytes }: StoredTensor): Float32Array<ArrayBuffer> {
  return new Float32Array(bytes.slice().buffer);
}

function stored(values: Float32Array<ArrayBuffer>, rows: number, cols: number): StoredTensor {
  return { dtype: 'F32', shape: [rows, cols], bytes: new Uint8Array(values.buffer) };
}

/** [cols, rows] of [rows, cols]. */
function transposed(values: Float32Array, rows: number, cols: number): Float32Array<ArrayBuffer> {
  return Float32Array.from(values, (_, i) => values[(i % rows) * cols + Math.floor(i / rows)] ?? NaN);
}
