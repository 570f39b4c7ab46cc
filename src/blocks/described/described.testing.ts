import { GraphBuilder } from '../../graph/builder.ts';
import type { Node } from '../../graph/node.ts';
import { router as grammar } from '../../models/layer/router.ts';
import { LayerNodes } from './nodes.ts';
import { addRouting } from './routing.ts';

const softmax = { kind: 'softmax' } as const;

/** Routers whose nodes are all ops of routing rules. */
const ROUTERS = [
  {
    transform: [
      { kind: 'mixTokens', name: 'links' },
      { kind: 'scale', by: 2 },
      { kind: 'sinkhorn', temperature: 1 },
    ],
    select: {
      kind: 'topK',
      k: { from: 'attentionReceived', name: 'links', least: 1, most: 2 },
      drop: [{ kind: 'belowRatio', ratio: 0.5, protect: { name: 'importance', top: 0.1, bottom: 0.1 } }],
    },
  },
  { transform: [softmax], select: { kind: 'expertChoice', factor: 1 } },
  { transform: [softmax], select: { kind: 'topK', k: 2 }, capacity: { factor: 1 } },
];

/** Nodes that between them have every op of described layers. */
export function describedNodes(): readonly Node[] {
  return [...routingNodes(), ...productNodes()];
}

/** A product and a function of it. */
function productNodes(): readonly Node[] {
  const builder = new GraphBuilder();
  const nodes = new LayerNodes(builder, { tokens: 8, sequences: 0, widths: new Map() });
  const x = nodes.given('x', { type: 'f32', perToken: 4 });
  nodes.activate(nodes.dense('layer', x, { shape: [2, 4], values: new Float32Array(8) }), 'silu');
  return builder.buildPart().nodes;
}

function routingNodes(): readonly Node[] {
  return ROUTERS.flatMap((router) => {
    const builder = new GraphBuilder();
    const input = (name: string, shape: Parameters<GraphBuilder['tensor']>[1]) =>
      builder.tensor(name, { ...shape, role: 'input' });
    addRouting(
      {
        builder,
        ...{ label: 'layer', experts: 4, most: 4 },
        scores: input('scores', { type: 'f32', perToken: 4 }),
        layer: () => () => new Float32Array(4),
        request: input,
        links: (name) => input(name, { type: 'f32', perToken: 8 }),
      },
      grammar.read({ score: { kind: 'zero' }, ...router }, 'router'),
    );
    return builder.buildPart().nodes;
  });
}
