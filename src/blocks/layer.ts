import { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/node.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { MoeSpec } from '../models/spec.ts';
import { expertsBranch } from './moe.ts';
import { Site } from './site.ts';
import { blocksOf, type Blocks } from './table.ts';

/** One layer of routed experts without a model around it: x in, and out what it adds to the stream, and its routes. */
export interface LayerGraph {
  readonly graph: Graph; // outputs: `ids`, `weights`, `y`, and `scores` where the router knows them
  readonly x: Tensor; // [tokens, hidden], input
}

export function buildLayer(moe: MoeSpec, hidden: number, blocks: Blocks = blocksOf()): LayerGraph {
  const builder = new GraphBuilder();
  const routes: Record<string, Tensor> = {};
  const purpose = { logits: 'all', sample: false, contextTokens: 1, scores: true } as const;
  const site = new Site({ spec: { hidden, eps: 0 }, purpose, builder, outputs: routes }, 'layer');
  const x = builder.tensor('x', { role: 'input', perToken: hidden });
  // What is written last keeps its value to the end of the step, so `y` can be read as it is.
  const y = expertsBranch(site, blocks, { x, normed: x }, moe, { layer: 0, later: [] });
  const named = Object.entries(routes).map(
    ([name, tensor]) => [name.replace('route 0 ', ''), tensor] as const,
  );
  return { graph: builder.build({ ...Object.fromEntries(named), y }), x };
}
