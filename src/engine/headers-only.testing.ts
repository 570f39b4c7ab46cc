/** Models of real sizes without their weights: headers of all that a config asks for. Not part of the library. */
import { buildGraph, readModel } from '../blocks/family.ts';
import { expertLayers } from '../blocks/read.ts';
import type { Checkpoint, TensorInfo } from '../containers/checkpoint.ts';
import type { Container } from '../containers/container.ts';
import { invariant } from '../errors.ts';
import { piecesOf } from '../experts/expert-rows.ts';
import type { Weight } from '../graph/tensor.ts';
import type { JsonObject } from '../io/json-file.ts';
import { memoryFile } from '../io/memory.ts';
import type { FolderSource } from '../io/source.ts';
import { BLOCK_DTYPES, isBlockDtype, type WeightDtype } from '../weights/dtypes.ts';
import type { LoadOptions } from './api.ts';
import { draftModel, type Drafted } from './load/planning.ts';

/** How matrices are stored. Rows that are no whole blocks, and vectors, are stored as F16. */
export interface StoredTypes {
  readonly dense: WeightDtype;
  readonly experts: WeightDtype;
}

const HALVES: StoredTypes = { dense: 'BF16', experts: 'BF16' };

/**
 * Drafts the model of a config, as if a file had exactly the tensors that the model's graph and its experts ask for.
 *
 * @throws {AtomoeError} as `draftModel`; what reads a weight throws, too
 */
export async function draftHeaders(
  config: JsonObject,
  options: LoadOptions,
  types: StoredTypes = HALVES,
): Promise<Drafted> {
  const text = new TextEncoder().encode(JSON.stringify(config));
  const folder: FolderSource = {
    label: 'headers',
    open: async (name) => (name === 'config.json' ? memoryFile(name, text) : undefined),
  };
  const container: Container = {
    name: 'headers',
    files: [],
    open: async (model) => checkpointOf((await model.configs()).config, types),
  };
  return draftModel(folder, options, { containers: [container] });
}

async function checkpointOf(config: JsonObject, types: StoredTypes): Promise<Checkpoint> {
  const tensors = new Map<string, TensorInfo>();
  for (const { name, shape, kind } of await tensorsOf(config)) {
    const dtype = storedAs(types[kind], shape);
    tensors.set(name, { name, shape, dtype, file: 'model', offsetBytes: 0, sizeBytes: 0 });
  }
  const read = () => Promise.reject(new Error('there are headers only'));
  return {
    label: 'headers',
    config,
    generationConfig: undefined,
    metadata: {},
    files: [],
    totalBytes: 0,
    unrangedBytes: 0,
    lost: new Map(),
    names: () => tensors.keys(),
    tensor: (name) => tensors.get(name),
    read,
    readF32: read,
    dispose: () => {},
  };
}

function storedAs(dtype: WeightDtype, shape: readonly number[]): WeightDtype {
  const cols = shape.length > 1 ? (shape.at(-1) ?? 1) : 1;
  return isBlockDtype(dtype) && cols % BLOCK_DTYPES[dtype].block !== 0 ? 'F16' : dtype;
}

interface AskedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: keyof StoredTypes;
}

/** What the model of a config asks a file for; it is asked by the usual names, since there is no file yet. */
async function tensorsOf(config: JsonObject): Promise<AskedTensor[]> {
  const model = await readModel(config, 'headers');
  const graph = buildGraph(model, { sample: false, contextTokens: 1, logits: 'last' });
  const dense = graph.weights
    .flatMap(shapesOf)
    .map(([name, shape]) => ({ name, shape, kind: 'dense' }) as const);
  const experts = expertLayers(model.spec, model.blocks).flatMap((layer) =>
    Object.values(layer.parts).flatMap(({ rows }) =>
      [...piecesOf(rows, layer.experts)].map(
        ({ piece }) => ({ name: piece.tensor, shape: rows.shape, kind: 'experts' }) as const,
      ),
    ),
  );
  return [...dense, ...experts];
}

/** The tensors of a dense weight. */
function shapesOf({ name, source, rows, cols }: Weight): [name: string, shape: readonly number[]][] {
  if (source.kind === 'computed') return [];
  if (source.kind === 'derived') {
    return Object.values(source.parts).map((part) => [part.tensor, plainShape(part.rows, part.cols)]);
  }
  return source.parts.map(({ tensor, shape }) => {
    invariant(shape ?? source.parts.length === 1, () => `${name} does not say which shape ${tensor} has`);
    return [tensor, shape ?? plainShape(rows, cols)];
  });
}

/** A vector is a row to some weights, and to others a column. */
function plainShape(rows: number, cols: number): readonly number[] {
  return rows === 1 || cols === 1 ? [rows * cols] : [rows, cols];
}
