/** The graphs of single layers, from the ops that whole models are made of. */
import type { Checkpoint } from '../containers/checkpoint.ts';
import { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/node.ts';
import { atomicExpertsNode } from '../graph/ops/atomic-experts.ts';
import { addSharedNode, gluActivationNode } from '../graph/ops/basic.ts';
import { linearNode } from '../graph/ops/linear.ts';
import { productRouteNode } from '../graph/ops/product-route.ts';
import type { Tensor, Weight } from '../graph/tensor.ts';
import { shapeOf, unfit, weightName, type LayerFile } from './layer-file.ts';

/** One layer's graph with its input; outputs `ids`, `weights`, `scores`, `y`. */
export interface LayerGraph {
  readonly graph: Graph;
  readonly x: Tensor;
}

/** @param renormalise - weights of a head sum to 1 */
export async function buildLayer(layer: LayerFile, renormalise: boolean): Promise<LayerGraph> {
  const builder = new GraphBuilder();
  const { hidden, grid, heads, topK, checkpoint, activation } = layer;
  const x = builder.tensor('x', { role: 'input', perToken: hidden });
  const { scores, statistics } =
    layer.kind === 'omnimoe' ? gateScores(builder, layer, x) : await keyScores(builder, layer, x);
  const pairs = heads * topK;
  const ids = builder.tensor('ids chosen', { type: 'u32', role: 'output', perToken: pairs });
  const weights = builder.tensor('weights', { type: 'f32', role: 'output', perToken: pairs });
  const sums = builder.tensor('scores', { type: 'f32', role: 'output', perToken: pairs });
  const logSoftmax = layer.kind === 'omnimoe';
  const route = { scores, ids, weights, sums, statistics, grid, heads, topK, renormalise, logSoftmax };
  builder.add(productRouteNode('router', route));
  const hasShared = checkpoint.tensor(weightName(checkpoint, 'gate_proj')) !== undefined;
  const output = { role: 'output', perToken: hidden } as const;
  const routed = builder.tensor('routed', hasShared ? { perToken: hidden } : output);
  const experts = grid * grid;
  builder.add(
    atomicExpertsNode('experts', {
      x,
      ids,
      weights,
      y: routed,
      layer: 0,
      experts,
      topK: pairs,
      hidden,
      activation,
    }),
  );
  const y = hasShared ? builder.tensor('y', output) : routed;
  if (hasShared)
    builder.add(
      addSharedNode('sum', { a: routed, b: shared(builder, layer, x), gate: undefined, y, cols: hidden }),
    );
  return { graph: builder.build({ ids, weights, scores: sums, y }), x };
}

interface Scores {
  readonly scores: Tensor; // f32 [tokens, heads, 2, grid]
  readonly statistics: { readonly eps: number; readonly mean: Weight; readonly variance: Weight } | undefined;
}

/** OmniMoE: both gates are linear; their logits are normalised by running statistics where the file has some. */
function gateScores(builder: GraphBuilder, { checkpoint, grid, hidden, eps }: LayerFile, x: Tensor): Scores {
  const gate = (side: string) => weightName(checkpoint, `router_gate_${side}`);
  const weight = builder.exact('router', 2 * grid, hidden, gate('x'), gate('y'));
  const scores = builder.tensor('router logits', { type: 'f32', perToken: 2 * grid });
  builder.add(linearNode('router', { x, weight, y: scores }));
  if (!checkpoint.tensor('router_norm_x.running_mean')) return { scores, statistics: undefined };
  const both = (name: string) =>
    builder.exact(name, 2 * grid, 1, `router_norm_x.${name}`, `router_norm_y.${name}`);
  return { scores, statistics: { eps, mean: both('running_mean'), variance: both('running_var') } };
}

/**
 * PEER: queries [tokens, heads, 2, key] against the row keys and the column keys [grid, key], which all heads share.
 * The keys lie in one block-diagonal matrix [2 * grid, 2 * key], so one linear layer gives a head both halves.
 */
async function keyScores(builder: GraphBuilder, layer: LayerFile, x: Tensor): Promise<Scores> {
  const { checkpoint, grid, heads } = layer;
  const [rows, columns] = [weightName(checkpoint, 'keys_x'), weightName(checkpoint, 'keys_y')];
  const [, key = 0] = shapeOf(checkpoint, rows, 2);
  const [otherGrid, otherKey] = shapeOf(checkpoint, columns, 2);
  if (otherGrid !== grid || otherKey !== key)
    throw unfit(checkpoint, columns, `[${grid}, ${key}] like the row keys`);
  const query = await queries(builder, layer, x, 2 * heads * key);
  const halves = [await checkpoint.readF32(rows), await checkpoint.readF32(columns)] as const;
  const keys = builder.computed('keys', 2 * grid, 2 * key, () => {
    const blocks = new Float32Array(4 * grid * key);
    for (const [side, half] of halves.entries()) {
      for (let row = 0; row < grid; row += 1) {
        const at = (side * grid + row) * 2 * key + side * key;
        blocks.set(half.subarray(row * key, (row + 1) * key), at);
      }
    }
    return blocks;
  });
  const scores = builder.tensor('key scores', { type: 'f32', perToken: 2 * heads * grid });
  builder.add(linearNode('keys', { x: query, weight: keys, y: scores }));
  return { scores, statistics: undefined };
}

/** The query network with its batch norm folded in: (W x + b - mean) / sqrt(variance + eps) * gain + shift. */
async function queries(builder: GraphBuilder, layer: LayerFile, x: Tensor, width: number): Promise<Tensor> {
  const { checkpoint, hidden, eps } = layer;
  const name = weightName(checkpoint, 'query');
  const [rows, cols] = shapeOf(checkpoint, name, 2);
  if (rows !== width || cols !== hidden) throw unfit(checkpoint, name, `[${width}, ${hidden}]`);
  const matrix = await checkpoint.readF32(name);
  const vector = async (tensor: string, fallback: number) =>
    (await optional(checkpoint, tensor)) ?? new Float32Array(width).fill(fallback);
  const [mean, shift, offset] = await Promise.all(
    ['query_norm.running_mean', 'query_norm.bias', 'query.bias'].map((tensor) => vector(tensor, 0)),
  );
  const gain = await vector('query_norm.weight', 1);
  const variance = await optional(checkpoint, 'query_norm.running_var');
  const scale = Float64Array.from(gain, (value, row) =>
    variance ? value / Math.sqrt((variance[row] ?? 0) + eps) : value,
  );
  const weight = builder.computed('query', width, hidden, () =>
    matrix.map((value, at) => value * (scale[Math.floor(at / hidden)] ?? 0)),
  );
  const bias = builder.computed('query bias', width, 1, () =>
    Float32Array.from(
      scale,
      (value, row) => ((offset?.[row] ?? 0) - (mean?.[row] ?? 0)) * value + (shift?.[row] ?? 0),
    ),
  );
  const y = builder.tensor('query', { perToken: width });
  builder.add(linearNode('query', { x, weight, bias, y }));
  return y;
}

async function optional(checkpoint: Checkpoint, name: string): Promise<Float32Array | undefined> {
  return checkpoint.tensor(name) ? checkpoint.readF32(name) : undefined;
}

/** The SwiGLU beside the routed experts. */
function shared(builder: GraphBuilder, { checkpoint, hidden }: LayerFile, x: Tensor): Tensor {
  const [gate, up, down] = ['gate_proj', 'up_proj', 'down_proj'].map((name) => weightName(checkpoint, name));
  const [width = 0] = shapeOf(checkpoint, gate ?? '', 2);
  const gateUp = builder.tensor('gate up', { perToken: 2 * width });
  builder.add(
    linearNode('gate up', {
      x,
      weight: builder.matrix('gate up', 2 * width, hidden, gate ?? '', up ?? ''),
      y: gateUp,
    }),
  );
  const h = builder.tensor('activated', { perToken: width });
  builder.add(gluActivationNode('shared', { gateUp, y: h, width, activation: 'silu' }));
  const y = builder.tensor('shared', { perToken: hidden });
  builder.add(linearNode('down', { x: h, weight: builder.matrix('down', hidden, width, down ?? ''), y }));
  return y;
}
