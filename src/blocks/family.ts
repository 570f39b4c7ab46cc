import { GraphBuilder } from '../graph/builder.ts';
import type { ModelGraph } from '../graph/node.ts';
import type { ConfigValues } from '../models/config.ts';
import type { ConfigFamily } from '../models/family.ts';
import type { FileTensors } from '../models/file-tensors.ts';
import { parseModel } from '../models/registry.ts';
import type { ModelSpec } from '../models/spec.ts';
import { checkSpec } from './check.ts';
import { buildDecoder } from './decoder.ts';
import type { GraphPurpose } from './purpose.ts';
import { loadBlocks, type Blocks, type OwnBlocks } from './table.ts';

/**
 * A model family: maps a config onto a `ModelSpec`, and brings along the blocks that its specs name and Atomoe does not
 * have. `build` is for families whose graph is no decoder; it may use ops from anywhere.
 */
export interface ModelFamily extends ConfigFamily {
  readonly blocks?: OwnBlocks;
  readonly build?: (
    spec: ModelSpec,
    purpose: GraphPurpose,
    builder: GraphBuilder,
    blocks: Blocks,
  ) => ModelGraph;
}

/** What graphs of a model are built from. */
export interface Model {
  readonly family: ModelFamily;
  readonly spec: ModelSpec;
  readonly blocks: Blocks;
}

/**
 * Finds the family of a config, parses it, loads its blocks, and compares the sizes with what they can do.
 *
 * @param extra - families from outside, which come first
 * @param file - whose names and layers the spec is to have; default: the usual names, and the config's layers
 * @throws {AtomoeError} unsupported-model - no family knows the model, or it does not run it so; bad-file - a key is
 *   missing or wrong, or does not fit the file
 */
export async function readModel(
  config: ConfigValues,
  label: string,
  extra: readonly ModelFamily[] = [],
  file?: FileTensors,
): Promise<Model> {
  const model: { family: ModelFamily; spec: ModelSpec } = await parseModel(config, label, extra, file);
  const { family, spec } = model;
  const blocks = await loadBlocks(spec, family.blocks);
  checkSpec(spec, blocks, label);
  return { family, spec, blocks };
}

/** The graph of a model for one use: the family's own, or the standard decoder. */
export function buildGraph({ family, spec, blocks }: Model, purpose: GraphPurpose): ModelGraph {
  const builder = new GraphBuilder();
  return family.build?.(spec, purpose, builder, blocks) ?? buildDecoder(spec, purpose, builder, blocks);
}
