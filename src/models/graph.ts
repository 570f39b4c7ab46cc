import { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/node.ts';
import type { GraphPurpose, ModelFamily } from './family.ts';
import type { ModelSpec } from './spec.ts';
import { buildTransformer } from './transformer.ts';

/** The graph of a model for one use: the family's own, or the standard transformer. */
export function buildGraph(family: ModelFamily, spec: ModelSpec, purpose: GraphPurpose): Graph {
  return (family.build ?? buildTransformer)(spec, purpose, new GraphBuilder());
}
