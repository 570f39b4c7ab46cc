import { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/node.ts';
import type { GraphPurpose, ModelFamily } from '../models/family.ts';
import type { ModelSpec } from '../models/spec.ts';
import { buildDecoder } from './decoder.ts';

/** The graph of a model for one use: the family's own, or the standard decoder. */
export function buildGraph(family: ModelFamily, spec: ModelSpec, purpose: GraphPurpose): Graph {
  return (family.build ?? buildDecoder)(spec, purpose, new GraphBuilder());
}
