import { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/node.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { MoeSpec } from '../models/spec.ts';
import { expertsBranch } from './moe.ts';
import { Site } from './site.ts';
import { loadBlocks } from './table.ts';

/** A layer of routed experts without a model: from x to its addition to the stream, and its routes. */
export interface LayerGraph {
  readonly graph: Graph;
  readonly x: Tensor; // [tokens, hidden], input
  readonly outputs: Readonly<Record<string, Tensor>>; // `ids`, `weights`, `y`, and `scores` if the router supports them
}

/** Builds the graph of one MoE layer: x [tokens, hidden] -> y [tokens, hidden]. */
export async function buildLayer(moe: MoeSpec, hidden: number): Promise<LayerGraph> {
  const blocks = await loadBlocks({ layers: [{ sublayers: [{ norm: '', block: moe }] }] });
  const builder = new GraphBuilder();
  const purpose = { logits: 'all', sample: false, contextTokens: 1, scores: true } as const;
  const site = Site.first({ spec: { hidden, eps: 0 }, purpose, builder }, 'layer');
  const x = builder.tensor('x', { role: 'input', perToken: hidden });
  // The last tensor written keeps its value until the end of the step, so `y` can be read.
  const place = { specLayer: 0, bank: 0, later: [] };
  const { y, route } = expertsBranch(site, blocks, { x, normed: x, entry: x }, moe, place);
  const { ids, weights, scores } = route;
  return { graph: builder.buildPart(), x, outputs: { ids, weights, ...(scores ? { scores } : {}), y } };
}
