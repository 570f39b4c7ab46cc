/** Writes the models to disk: random blocks, made once for each type and repeated, so that gigabytes take seconds. */
import { open } from 'node:fs/promises';
import { randomBlocks } from '../../src/weights/ggml-blocks.testing.ts';
import { loadFormats, weightFormat } from '../../src/weights/formats/index.ts';
import { ggufHeader, paddingBytes } from '../gguf-file.ts';
import type { RealModel, RealTensor, TensorType } from './models.ts';

/** Numbers of ggml_type, elements and bytes of a block. */
const TYPES: Readonly<Record<TensorType, { number: number; block: number; bytes: number }>> = {
  f32: { number: 0, block: 1, bytes: 4 },
  q4_0: { number: 2, block: 32, bytes: 18 },
  q4_k: { number: 12, block: 256, bytes: 144 },
  q6_k: { number: 14, block: 256, bytes: 210 },
  mxfp4: { number: 39, block: 32, bytes: 17 },
};

/** Of the weights, so that activations keep their size from layer to layer. */
const DEVIATION = 0.02;
const TEMPLATE_VALUES = 3 * 2 ** 21; // of each type; not a whole number of rows of any tensor

function sizeOf({ dims, type }: RealTensor): number {
  const { block, bytes } = TYPES[type];
  return (dims.reduce((product, size) => product * size, 1) / block) * bytes;
}

/** Bytes of tensors whose name passes, or of all. */
export function tensorBytes({ tensors }: RealModel, passes: (name: string) => boolean = () => true): number {
  return tensors.reduce((sum, tensor) => sum + (passes(tensor.name) ? sizeOf(tensor) : 0), 0);
}

/** A generator of numbers from 0 to 1, the same in every run. */
function seeded(): () => number {
  let state = 20_261_128;
  return () => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff;
}

/** Bytes of random weights of each type that are repeated in all tensors. */
async function makeTemplates(): Promise<Readonly<Record<TensorType, Uint8Array<ArrayBuffer>>>> {
  const next = seeded();
  const names = Object.keys(TYPES) as TensorType[];
  await loadFormats(names);
  const made = names.map((name) => {
    const { block } = TYPES[name];
    if (name !== 'f32')
      return [name, randomBlocks(name, TEMPLATE_VALUES / weightFormat(name).block, DEVIATION, next)];
    const values = Float32Array.from(
      { length: TEMPLATE_VALUES / block },
      () => DEVIATION * 3.4 * (next() - 0.5),
    );
    return [name, new Uint8Array(values.buffer)];
  });
  return Object.fromEntries(made) as Record<TensorType, Uint8Array<ArrayBuffer>>;
}

/** The data of a tensor, in pieces. Where it starts in the template depends on its index, so that tensors differ. */
function* dataOf(
  tensor: RealTensor,
  index: number,
  template: Uint8Array<ArrayBuffer>,
): Generator<Uint8Array<ArrayBuffer>> {
  const sizeBytes = sizeOf(tensor);
  if (tensor.type === 'f32' && tensor.values !== 'random') {
    const values = new Float32Array(sizeBytes / 4).fill(tensor.values === 'ones' ? 1 : 0);
    yield new Uint8Array(values.buffer);
    return;
  }
  const { bytes } = TYPES[tensor.type];
  const blocks = template.byteLength / bytes;
  let at = ((index * 7919) % blocks) * bytes;
  for (let left = sizeBytes; left > 0;) {
    const piece = template.subarray(at, Math.min(template.byteLength, at + left));
    yield piece;
    left -= piece.byteLength;
    at = 0;
  }
}

/** Writes one model. */
export async function writeModel(path: string, model: RealModel): Promise<void> {
  const templates = await makeTemplates();
  const infos = model.tensors.map((tensor) => ({
    name: tensor.name,
    dims: tensor.dims,
    typeNumber: TYPES[tensor.type].number,
    sizeBytes: sizeOf(tensor),
  }));
  const file = await open(path, 'w');
  try {
    await file.writev(ggufHeader(model.metadata, infos));
    for (const [index, tensor] of model.tensors.entries()) {
      for (const piece of dataOf(tensor, index, templates[tensor.type])) await file.write(piece);
      await file.write(new Uint8Array(paddingBytes(sizeOf(tensor))));
    }
  } finally {
    await file.close();
  }
}
