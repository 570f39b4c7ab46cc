/** A described layer in a safetensors file: metadata `atomoe.layer`, tensors, an input `x`, a request, and `expected.*` answers. */
import { buildDescribed, type DescribedLayer } from '../../blocks/described/layer.ts';
import type { RequestInput } from '../../blocks/described/nodes.ts';
import { LayerTensors, type HostTensor } from '../../blocks/described/tensors.ts';
import type { Checkpoint } from '../../containers/checkpoint.ts';
import { AtomoeError } from '../../errors.ts';
import type { HostArray } from '../../graph/node.ts';
import { parseLayer, type LayerDescription } from '../../models/layer/layer.ts';

/** The metadata key of descriptions. */
export const LAYER_KEY = 'atomoe.layer';

const EXPECTED = 'expected.';

/** A described layer with a request, read from a file. */
export interface DescribedFile {
  readonly label: string;
  readonly description: LayerDescription;
  readonly tokens: number;
  readonly sequenceOffsets: readonly number[]; // the first token of each sequence, and the number of tokens
  /** The known answers, by their names without `expected.`. */
  readonly expected: ReadonlyMap<string, HostTensor>;
  /** Builds the graph of the layer for the request. */
  build(): DescribedLayer;
  /** The values of what the graph reads. */
  inputs(built: DescribedLayer): Map<RequestInput['tensor'], HostArray>;
}

/** @throws {AtomoeError} bad-file; bad-input - the description is wrong */
export async function readDescribed(checkpoint: Checkpoint): Promise<DescribedFile> {
  const { label, metadata } = checkpoint;
  const description = parseLayer(jsonOf(metadata[LAYER_KEY] ?? '', label));
  const named = new Map<string, HostTensor>();
  for (const name of checkpoint.names()) {
    const shape = checkpoint.tensor(name)?.shape ?? [];
    named.set(name, { shape, values: await readNumbers(checkpoint, name) });
  }
  const x = named.get('x');
  const [tokens = 0, hidden = 0] = x?.shape ?? [];
  if (!x || hidden !== description.hiddenSize || tokens === 0) {
    throw new AtomoeError(
      'bad-file',
      `${label}: x is ${x ? `[${x.shape.join(', ')}]` : 'missing'}; wanted [tokens, ${description.hiddenSize}]; write the file again`,
    );
  }
  const offsets = named.get('sequenceOffsets');
  const sequences = offsets ? offsets.values.length - 1 : 0;
  const widths = new Map(
    [...named].map(([name, { shape }]) => [name, shape.length < 2 ? 1 : (shape.at(-1) ?? 1)]),
  );
  const answers = [...named].filter(([name]) => name.startsWith(EXPECTED));
  return {
    ...{ label, description, tokens },
    sequenceOffsets: [...(offsets?.values ?? [0, tokens])],
    expected: new Map(answers.map(([name, tensor]) => [name.slice(EXPECTED.length), tensor])),
    build: () => buildDescribed(description, new LayerTensors(label, named), { tokens, sequences, widths }),
    inputs: (built) =>
      new Map([
        [built.x, x.values],
        ...built.inputs.map(({ name, tensor }) => {
          const given = named.get(name);
          if (!given) {
            throw new AtomoeError(
              'bad-file',
              `${label}: the request has no "${name}", which the description reads`,
            );
          }
          return [
            tensor,
            valuesOf(given, tensor, { tokens, offsets: offsets?.values, none: description.experts ?? 0 }),
          ] as const;
        }),
      ]),
  };
}

function jsonOf(text: string, label: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AtomoeError(
      'bad-file',
      `${label}: the metadata ${LAYER_KEY} is not JSON (${String(cause)}); write the file again`,
      { cause },
    );
  }
}

/** Numbers of any type as f32: codes and ids are small. */
async function readNumbers(checkpoint: Checkpoint, name: string): Promise<Float32Array<ArrayBuffer>> {
  const dtype = checkpoint.tensor(name)?.dtype;
  if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16' || dtype === 'F64') {
    return checkpoint.readF32(name, { allowNonFinite: name.startsWith(EXPECTED) }); // masked scores
  }
  const { bytes } = await checkpoint.read(name);
  const { buffer } = bytes.slice();
  switch (dtype) {
    case 'I64':
      return Float32Array.from(new BigInt64Array(buffer), Number);
    case 'I32':
      return Float32Array.from(new Int32Array(buffer));
    case 'I16':
      return Float32Array.from(new Int16Array(buffer));
    case 'I8':
      return Float32Array.from(new Int8Array(buffer));
    case 'U8':
    case 'BOOL':
      return Float32Array.from(new Uint8Array(buffer));
    default:
      throw new AtomoeError(
        'unsupported-model',
        `${checkpoint.label}: tensor "${name}" is ${dtype}; wanted F32, F16, BF16, or integers; write it so`,
      );
  }
}

/** What a request gives for a tensor: a row for each token, each sequence, or one for all; missing columns are 0, or no expert. */
function valuesOf(
  { shape, values }: HostTensor,
  { type, perToken, fixed }: RequestInput['tensor'],
  {
    tokens,
    offsets,
    none,
  }: { readonly tokens: number; readonly offsets: Float32Array | undefined; readonly none: number },
): HostArray {
  const typed = (numbers: ArrayLike<number>) =>
    type === 'u32' ? Uint32Array.from(numbers) : Float32Array.from(numbers);
  if (fixed > 0) return typed(values);
  const isOneRow = shape.length < 2 && shape[0] !== tokens;
  const rows = isOneRow ? 1 : (shape[0] ?? 1);
  const cols = values.length / rows;
  const all = new Float64Array(tokens * perToken).fill(type === 'u32' ? none : 0);
  for (let token = 0; token < tokens; token += 1) {
    const sequence = offsets ? offsets.findLastIndex((first) => first <= token) : 0;
    const row = rows === tokens ? token : rows === 1 ? 0 : sequence;
    for (let c = 0; c < Math.min(cols, perToken); c += 1)
      all[token * perToken + c] = values[row * cols + c] ?? 0;
  }
  return typed(all);
}
