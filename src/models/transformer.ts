/** The standard decoder: embedding, blocks of attention and experts, final norm, logits. */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/node.ts';
import { attentionNode, ropeKvNode } from '../graph/ops/attention.ts';
import { atomicExpertsNode } from '../graph/ops/atomic-experts.ts';
import {
  addRmsNormNode,
  addSharedNode,
  embeddingNode,
  gluActivationNode,
  lastRowNode,
} from '../graph/ops/basic.ts';
import { linearNode } from '../graph/ops/linear.ts';
import { gateNode } from '../graph/ops/gate.ts';
import { expertsNode } from '../graph/ops/moe.ts';
import { rmsNormNode } from '../graph/ops/norm.ts';
import { productRouteNode } from '../graph/ops/product-route.ts';
import { skipLightNode } from '../graph/ops/skip-light.ts';
import { sampleNodes } from '../graph/ops/sample.ts';
import type { Tensor, TensorShape, Weight } from '../graph/tensor.ts';
import { ropeAngles } from '../kernels/rope-angles.ts';
import type { GraphPurpose } from './family.ts';
import type { AtomicSpec, AttentionSpec, GatedMlpSpec, LinearSpec, ModelSpec, MoeSpec } from './spec.ts';

/** What the parts of one model's graph share while it is built. */
interface Building {
  readonly spec: ModelSpec;
  readonly purpose: GraphPurpose;
  readonly builder: GraphBuilder;
  readonly outputs: Record<string, Tensor>;
  expertLayers: number; // layers with routed experts so far
}

export function buildTransformer(spec: ModelSpec, purpose: GraphPurpose, builder: GraphBuilder): Graph {
  const { hidden, vocab, eps } = spec;
  const outputs: Record<string, Tensor> = {};
  const building: Building = { spec, purpose, builder, outputs, expertLayers: 0 };
  const table = builder.matrix(spec.embedding, vocab, hidden, spec.embedding);
  let x = stream(builder, 'embedded', { perToken: hidden });
  builder.add(
    embeddingNode('tokens', { ids: builder.ids, table, y: x, multiplier: spec.embeddingMultiplier }),
  );
  let branch: Tensor | undefined;
  for (const [index, layer] of spec.layers.entries()) {
    const label = `layer ${index}`;
    const attended = intoBranch(building, `${label} attention`, x, branch, layer.attentionNorm);
    branch = attentionBranch(building, label, attended.normed, layer.attention);
    const mixed = intoBranch(building, `${label} mlp`, attended.x, branch, layer.mlpNorm);
    x = mixed.x;
    branch =
      layer.mlp.kind === 'dense'
        ? gatedMlp(building, `${label} mlp`, mixed.normed, layer.mlp)
        : expertsBranch(building, index, mixed, layer.mlp);
  }
  if (purpose.logits === 'last') {
    x = lastRow(building, 'final stream', x);
    branch &&= lastRow(building, 'final branch', branch);
  }
  const { normed } = intoBranch(building, 'final', x, branch, spec.norm, eps);
  const head = builder.matrix(spec.head, vocab, hidden, spec.head);
  const size = purpose.logits === 'last' ? { fixed: vocab } : { perToken: vocab };
  const logits = builder.tensor('logits', { type: 'f32', role: 'output', ...size });
  builder.add(
    linearNode('logits', { x: normed, weight: head, y: logits, multiplier: spec.logitsMultiplier }),
  );
  outputs['logits'] = logits;
  if (purpose.sample) outputs['record'] = sampleNodes(builder, { ids: builder.ids, logits, vocab });
  return builder.build(outputs);
}

/**
 * A tensor of the residual stream, or one that is added to it. They are f32 where activations are f16: single elements
 * pass 65504 in trained models, and become infinite there.
 */
function stream(builder: GraphBuilder, name: string, shape: Pick<TensorShape, 'perToken' | 'fixed'>): Tensor {
  return builder.tensor(name, { ...shape, type: 'f32' });
}

/** The stream with the last branch added, and its norm: what the next branch reads. */
function intoBranch(
  { spec, builder }: Building,
  label: string,
  x: Tensor,
  branch: Tensor | undefined,
  gainName: string,
  eps = spec.eps,
): { x: Tensor; normed: Tensor } {
  const shape = { perToken: x.perToken, fixed: x.fixed };
  const gain = builder.exact(gainName, 1, spec.hidden, gainName);
  const normed = builder.tensor(`${label} normed`, shape);
  if (!branch) {
    builder.add(rmsNormNode(label, { x, gain, y: normed, eps }));
    return { x, normed };
  }
  const sum = stream(builder, `${label} stream`, shape);
  const scale = spec.residualMultiplier;
  builder.add(addRmsNormNode(label, { x, branch, scale, gain, eps, sum, y: normed }));
  return { x: sum, normed };
}

function lastRow({ spec, builder }: Building, label: string, x: Tensor): Tensor {
  const y = stream(builder, label, { fixed: spec.hidden });
  builder.add(lastRowNode(label, { x, y, cols: spec.hidden }));
  return y;
}

/** The matrix of a linear layer, under the name of its first part. */
function matrixOf({ builder }: Building, linear: LinearSpec, rows: number, cols: number): Weight {
  return builder.matrix(linear.weight.map(({ tensor }) => tensor).join(' + '), rows, cols, ...linear.weight);
}

function biasOf({ builder }: Building, { bias }: LinearSpec, count: number): Weight | undefined {
  if (!bias) return undefined;
  const names = bias.map((part) => (typeof part === 'string' ? part : part.tensor));
  // One row for each element: a vector's elements are its rows.
  return builder.exact(names.join(' + '), count, 1, ...bias);
}

function attentionBranch(building: Building, label: string, x: Tensor, attention: AttentionSpec): Tensor {
  const { spec, purpose, builder } = building;
  const { heads, kvHeads, headDim, norm, rope, scale, window } = attention;
  const queries = heads * headDim;
  const cached = kvHeads * headDim;
  const rows = queries + 2 * cached;
  const qkv = builder.tensor(`${label} qkv`, { perToken: rows });
  const weight = matrixOf(building, attention.qkv, rows, spec.hidden);
  builder.add(linearNode(`${label} qkv`, { x, weight, bias: biasOf(building, attention.qkv, rows), y: qkv }));
  const positions = purpose.contextTokens;
  const { theta, rotaryDim, style } = rope;
  const angles = builder.computed(`rope ${theta} ${rotaryDim}`, positions, rotaryDim, () =>
    ropeAngles({ theta, rotaryDim, positions }),
  );
  const gain = (name: string, count: number) =>
    builder.exact(name, 1, norm.kind === 'vector' ? count : headDim, name);
  const gains = norm.kind === 'none' ? undefined : { q: gain(norm.q, queries), k: gain(norm.k, cached) };
  const state = { role: 'state', fixed: positions * cached } as const;
  const kCache = builder.tensor(`${label} keys`, state);
  const vCache = builder.tensor(`${label} values`, state);
  const q = builder.tensor(`${label} q`, { perToken: queries });
  const shape = { heads, kvHeads, headDim };
  const { eps } = spec;
  builder.add(
    ropeKvNode(label, {
      ...shape,
      qkv,
      angles,
      gains,
      norm: norm.kind,
      rotaryDim,
      style,
      eps,
      q,
      kCache,
      vCache,
    }),
  );
  const o = builder.tensor(`${label} attended`, { perToken: queries });
  builder.add(attentionNode(label, { ...shape, q, kCache, vCache, o, scale, window }));
  const y = stream(builder, `${label} attention out`, { perToken: spec.hidden });
  const out = matrixOf(building, attention.out, spec.hidden, queries);
  builder.add(
    linearNode(`${label} attention out`, {
      x: o,
      weight: out,
      bias: biasOf(building, attention.out, spec.hidden),
      y,
    }),
  );
  return y;
}

/** down(act(gate x) * up x), gate and up in one projection. */
function gatedMlp(building: Building, label: string, x: Tensor, mlp: GatedMlpSpec): Tensor {
  const { spec, builder } = building;
  const { width, activation } = mlp;
  const gateUp = builder.tensor(`${label} gate up`, { perToken: 2 * width });
  const weight = matrixOf(building, mlp.gateUp, 2 * width, spec.hidden);
  builder.add(linearNode(`${label} gate up`, { x, weight, y: gateUp }));
  const h = builder.tensor(`${label} activated`, { perToken: width });
  builder.add(gluActivationNode(label, { gateUp, y: h, width, activation }));
  const y = stream(builder, `${label} down`, { perToken: spec.hidden });
  const down = matrixOf(building, mlp.down, spec.hidden, width);
  builder.add(linearNode(`${label} down`, { x: h, weight: down, y }));
  return y;
}

/** Where routes lie: kept to the end of the step, for those who watch. */
function routeTensors({ builder, outputs }: Building, what: string, perToken: number): Routes {
  const ids = builder.tensor(`${what} ids`, { type: 'u32', role: 'output', perToken });
  const weights = builder.tensor(`${what} weights`, { type: 'f32', role: 'output', perToken });
  outputs[ids.name] = ids;
  outputs[weights.name] = weights;
  return { ids, weights };
}

interface Routes {
  readonly ids: Tensor; // u32 [tokens, topK]
  readonly weights: Tensor; // f32 [tokens, topK]
}

/** Routed experts, and the shared one beside them. `mixed` is the stream and its norm. */
function expertsBranch(
  building: Building,
  index: number,
  mixed: { readonly x: Tensor; readonly normed: Tensor },
  mlp: MoeSpec | AtomicSpec,
): Tensor {
  const { spec, builder } = building;
  const { hidden } = spec;
  const { experts, topK, activation } = mlp;
  const label = `layer ${index}`;
  const layer = building.expertLayers;
  building.expertLayers += 1;
  const routes = route(building, label, mixed.normed, mlp, `route ${layer}`);
  const { skipBelow: bound = 0 } = building.purpose;
  if (bound > 0) builder.add(skipLightNode(label, { ...routes, topK, bound, dropIds: mlp.kind === 'moe' }));
  lookAhead(building, index, layer, mixed.x);
  // Ahead of the routed experts: the GPU has something to do while they are fetched.
  const shared = mlp.shared && sharedBranch(building, label, mixed.normed, mlp.shared);
  const routed = stream(builder, `${label} routed`, { perToken: hidden });
  const io = { x: mixed.normed, ...routes, y: routed, layer, experts, topK, hidden, activation };
  builder.add(
    mlp.kind === 'moe' ? expertsNode(label, { ...io, width: mlp.width }) : atomicExpertsNode(label, io),
  );
  if (!shared) return routed;
  const y = stream(builder, `${label} mixed`, { perToken: hidden });
  builder.add(addSharedNode(label, { a: routed, ...shared, y, cols: hidden }));
  return y;
}

/**
 * What the next layers would choose if the stream stayed as it is: their own routers and norms on it. Nothing in the
 * step depends on it.
 */
function lookAhead(building: Building, index: number, layer: number, x: Tensor): void {
  const { spec, purpose, builder } = building;
  const next = spec.layers.slice(index + 1).filter(({ mlp }) => mlp.kind !== 'dense');
  for (const [ahead, { mlp, mlpNorm }] of next.slice(0, purpose.lookahead ?? 0).entries()) {
    if (mlp.kind === 'dense') continue;
    const label = `layer ${index} look ${ahead}`;
    const gain = builder.exact(mlpNorm, 1, spec.hidden, mlpNorm);
    const y = builder.tensor(`${label} normed`, { perToken: spec.hidden });
    builder.when(
      ({ lookahead = 0 }) => ahead < lookahead,
      () => {
        builder.add(rmsNormNode(label, { x, gain, y, eps: spec.eps }));
        route(building, label, y, mlp, `look ${layer} ${ahead}`);
      },
    );
  }
}

/** Which experts each token takes, as outputs of the graph named after `what`. */
function route(
  building: Building,
  label: string,
  x: Tensor,
  mlp: MoeSpec | AtomicSpec,
  what: string,
): Routes {
  return mlp.kind === 'moe'
    ? routeLogits(building, label, x, mlp, what)
    : routeProduct(building, label, x, mlp, what);
}

function routeLogits(building: Building, label: string, x: Tensor, moe: MoeSpec, what: string): Routes {
  const { spec, builder } = building;
  const { experts, topK, router } = moe;
  const logits = builder.tensor(`${label} router logits`, { type: 'f32', perToken: experts });
  const weight = builder.exact(router.weight, experts, spec.hidden, router.weight);
  builder.add(linearNode(`${label} router`, { x, weight, y: logits }));
  const routes = routeTensors(building, what, topK);
  const bias = router.bias
    ? builder.exact(router.bias, experts, 1, router.bias)
    : builder.computed(`no bias ${experts}`, experts, 1, () => new Float32Array(experts));
  builder.add(gateNode(label, { logits, bias, ...routes, experts, topK, rule: router.rule }));
  return routes;
}

/** The shared expert's output, which may have a gate of its own. */
function sharedBranch(
  building: Building,
  label: string,
  x: Tensor,
  shared: GatedMlpSpec & { readonly gate?: string },
): { b: Tensor; gate: Tensor | undefined } {
  const { spec, builder } = building;
  const b = gatedMlp(building, `${label} shared`, x, shared);
  if (shared.gate === undefined) return { b, gate: undefined };
  const gate = builder.tensor(`${label} shared gate`, { type: 'f32', perToken: 1 });
  const weight = builder.exact(shared.gate, 1, spec.hidden, shared.gate);
  builder.add(linearNode(`${label} shared gate`, { x, weight, y: gate }));
  return { b, gate };
}

function routeProduct(
  building: Building,
  label: string,
  x: Tensor,
  atomic: AtomicSpec,
  what: string,
): Routes {
  const { spec, builder } = building;
  const { grid, topK, router } = atomic;
  const scores = builder.tensor(`${label} router scores`, { type: 'f32', perToken: 2 * grid });
  const { rows, cols, norm, renormalise } = router;
  const weight = builder.exact(`${rows} + ${cols}`, 2 * grid, spec.hidden, rows, cols);
  builder.add(linearNode(`${label} router`, { x, weight, y: scores }));
  const statistics = norm && {
    eps: norm.eps,
    mean: builder.exact(norm.mean.join(' + '), 2 * grid, 1, ...norm.mean),
    variance: builder.exact(norm.variance.join(' + '), 2 * grid, 1, ...norm.variance),
  };
  const routes = routeTensors(building, what, topK);
  builder.add(productRouteNode(label, { scores, ...routes, statistics, grid, topK, renormalise }));
  return routes;
}
