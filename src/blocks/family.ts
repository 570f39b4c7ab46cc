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
 * A model family: maps a config to a `ModelSpec`, and supplies blocks that its specs name and Atomoe does not have. `build` is
 * for families whose graph is not the standard decoder; it may use any ops.
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

/** A parsed model with its blocks, from which graphs are built. */
export interface Model {
  readonly family: ModelFamily;
  readonly spec: ModelSpec;
  readonly blocks: Blocks;
}

/**
 * Finds the family of a config, parses it, loads its blocks, and checks that they support the sizes.
 *
 * @param extra - families from outside, which take precedence
 * @param file - determines the names and layers of the spec; default: the usual names, and the config's layers
 * @throws {AtomoeError} unsupported-model - no family supports the model or its options; bad-file - a key is missing,
 *   invalid, or contradicts the file
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

/** Builds the graph of a model for a purpose, by the family's `build` or as the standard decoder. */
export function buildGraph({ family, spec, blocks }: Model, purpose: GraphPurpose): ModelGraph {
  const builder = new GraphBuilder();
  return family.build?.(spec, purpose, builder, blocks) ?? buildDecoder(spec, purpose, builder, blocks);
}
