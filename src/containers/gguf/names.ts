/** The tensors of a GGUF file under the names of Hugging Face's checkpoints: stacked experts one by one, rows in their order. */
import type { FileSource } from '../../io/source.ts';
import type { HeldTensor } from '../tensor-files.ts';
import type { Architecture } from './architecture.ts';
import { MODULES } from './architectures.ts';
import type { GgufHeader, GgufTensor } from './header.ts';
import type { GgufKeys } from './keys.ts';

const OUTER: ReadonlyMap<string, string> = new Map([
  ['token_embd.weight', 'model.embed_tokens.weight'],
  ['output_norm.weight', 'model.norm.weight'],
  ['output.weight', 'lm_head.weight'],
]);

const BASE = 'model.';

/** `blk.LAYER.MODULE.SUFFIX`; few tensors have no suffix. */
const LAYER_NAME = /^blk\.(\d{1,5})\.(.+?)(\.weight|\.bias)?$/;

/** The names of an architecture: the file's to the family's. */
interface Names {
  readonly modules: ReadonlyMap<string, string>;
  readonly outer: ReadonlyMap<string, string>;
}

function namesOf({ modules, outer }: Architecture): Names {
  return {
    modules: new Map(Object.entries({ ...MODULES, ...modules })),
    outer: new Map([...OUTER, ...Object.entries(outer ?? {})]),
  };
}

/** The name that the file has for a tensor of the family, or would have. */
export function storedName(architecture: Architecture, name: string): string {
  const { modules, outer } = namesOf(architecture);
  const [, layer = '', own = ''] = /^model\.layers\.(\d+)\.(.+)$/.exec(name) ?? [];
  const stacked = own.replace(/\.experts\.\d+\./, '.experts.{expert}.');
  const [, stem = '', suffix = ''] = /^(.+?)(\.weight|\.bias)?$/.exec(stacked) ?? [];
  const at = (layer === '' ? outer : modules).entries();
  let found: string | undefined; // the last: architectures add to the usual names
  for (const [stored, wanted] of at) {
    if (wanted === (layer === '' ? name : stacked)) found = stored;
    else if (layer !== '' && wanted === stem) found = `${stored}${suffix}`;
  }
  if (found === undefined) return name;
  return layer === '' ? found : `blk.${layer}.${found}`;
}

/**
 * Every tensor that has a name in the family, by that name; others keep theirs.
 *
 * @throws {AtomoeError} bad-file - a layer or experts that the metadata does not count
 */
export function* heldTensors(
  architecture: Architecture,
  keys: GgufKeys,
  source: FileSource,
  { tensors }: GgufHeader,
): Generator<{ readonly stored: string; readonly held: HeldTensor }> {
  for (const [stored, tensor] of tensors)
    for (const held of heldTensor(architecture, keys, source, [stored, tensor])) yield { stored, held };
}

/** A tensor; each of the experts that are stacked in it; none of a layer that is not run. */
function* heldTensor(
  architecture: Architecture,
  keys: GgufKeys,
  source: FileSource,
  [name, tensor]: readonly [string, GgufTensor],
): Generator<HeldTensor> {
  const { modules, outer } = namesOf(architecture);
  const [, layer = '', module = '', suffix = ''] = LAYER_NAME.exec(name) ?? [];
  if (Number(layer) >= keys.allLayers)
    throw keys.contradiction(name, tensor.shape, `a layer below block_count, ${keys.allLayers},`);
  if (layer !== '' && Number(layer) >= keys.layers) return; // it predicts further tokens
  const stem = modules.get(module);
  const wanted = modules.get(`${module}${suffix}`) ?? (stem === undefined ? undefined : `${stem}${suffix}`);
  if (layer === '' || wanted === undefined) {
    yield held(outer.get(name) ?? name, tensor, source);
    return;
  }
  const at = `${architecture.base ?? BASE}layers.${layer}.${wanted}`;
  const rowOrder = architecture.hasPairedRows ? pairedRows(module, keys) : undefined;
  const shape = architecture.shapes?.[`${module}${suffix}`]?.(tensor.shape) ?? tensor.shape;
  if (at.includes('{expert}')) {
    const count = keys.count('expert_count');
    if (tensor.shape[0] !== count) throw keys.contradiction(name, tensor.shape, `one of ${count} experts`);
    yield* expertsOf(at, tensor, source);
  } else {
    yield { ...held(at, shaped(module, { ...tensor, shape }), source), ...(rowOrder ? { rowOrder } : {}) };
  }
}

/**
 * The tensors that are made of others, one for each layer that has these, with the names of those.
 *
 * @throws {AtomoeError} bad-file - their shapes do not belong together
 */
export function* derivedTensors(
  { derived, base = BASE }: Architecture,
  keys: GgufKeys,
  byName: ReadonlyMap<string, HeldTensor>,
): Generator<{ readonly pieces: readonly string[]; readonly held: HeldTensor }> {
  if (!derived) return;
  const { name, from, shape, values } = derived;
  for (let layer = 0; layer < keys.layers; layer += 1) {
    const pieces = from.map((each) => `blk.${layer}.${each}`);
    const infos = pieces.flatMap((piece) => byName.get(piece)?.info ?? []);
    const [first] = infos;
    if (!first || infos.length !== from.length) continue;
    const shapes = infos.map((info) => info.shape);
    const whole = shape(shapes);
    if (!whole) throw keys.contradiction(first.name, first.shape, `one that fits ${pieces[1] ?? ''}`);
    const sizeBytes = 4 * whole.reduce((product, size) => product * size, 1);
    const info = {
      ...first,
      name: `${base}layers.${layer}.${name}`,
      dtype: 'F32',
      shape: whole,
      sizeBytes,
    } as const;
    const source = byName.get(pieces[0] ?? '')?.source;
    if (!source) continue;
    const derive = async (read: (piece: string) => Promise<Float32Array>) =>
      values(await Promise.all(pieces.map(read)), shapes);
    yield { pieces, held: { info, source, derive } };
  }
}

function held(name: string, tensor: GgufTensor, source: FileSource): HeldTensor {
  return { info: { name, file: source.name, ...tensor }, source };
}

/** Experts stacked as [experts, rows, cols]: each is a range of bytes. */
function* expertsOf(name: string, tensor: GgufTensor, source: FileSource): Generator<HeldTensor> {
  const [experts = 1, ...shape] = tensor.shape;
  const sizeBytes = tensor.sizeBytes / experts;
  for (let expert = 0; expert < experts; expert += 1) {
    const offsetBytes = tensor.offsetBytes + expert * sizeBytes;
    yield held(
      name.replace('{expert}', String(expert)),
      { ...tensor, shape, offsetBytes, sizeBytes },
      source,
    );
  }
}

/** Some writers give the gate of a shared expert as a vector. */
function shaped(module: string, tensor: GgufTensor): GgufTensor {
  return module === 'ffn_gate_inp_shexp' && tensor.shape.length === 1
    ? { ...tensor, shape: [1, ...tensor.shape] }
    : tensor;
}

/** Which row of the file holds a row of q or k. */
function pairedRows(module: string, keys: GgufKeys): ((row: number) => number) | undefined {
  if (module !== 'attn_q' && module !== 'attn_k') return undefined;
  const { headDim } = keys;
  const half = headDim / 2;
  return (row) => {
    const inHead = row % headDim;
    const first = row - inHead;
    return first + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
  };
}
