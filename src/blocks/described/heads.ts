/** Attention as experts, and heads as experts (sections 8 and 10 of the format). */
import type { Tensor } from '../../graph/tensor.ts';
import { ropeAngles } from '../../kernels/attention/rope-angles.ts';
import type { ExpertDescription, RotaryDescription } from '../../models/layer/expert.ts';
import type { HeadTensors, PatternDescription } from '../../models/layer/layer.ts';
import type { ExpertRoutes, ExpertSite } from './experts.ts';
import type { LayerNodes } from './nodes.ts';
import type { HostTensor } from './tensors.ts';

type AttentionExpert = Extract<ExpertDescription, { kind: 'attention' }>;
type Heads = Extract<PatternDescription, { kind: 'heads' }>;

/** Rotary positions of heads, if there are any. */
function turned(nodes: LayerNodes, x: Tensor, size: number, rotary: RotaryDescription | undefined): Tensor {
  if (!rotary) return x;
  const { base, dimensions = size, style } = rotary;
  const n = [size, dimensions, style === 'half' ? 0 : 1];
  // Sines of the GPU are less exact than its sums.
  const table = ropeAngles({ theta: base, rotaryDim: dimensions, positions: nodes.request.tokens });
  return nodes.cell('rotate', [x, nodes.weight('rotary angles', table)], { cols: x.perToken, n });
}

/** [a, b, c] as the rows [a * b, c]. */
function flat({ shape, values }: HostTensor): HostTensor {
  const cols = shape.at(-1) ?? 1;
  return { shape: [values.length / cols, cols], values };
}

/** [experts, hidden, cols] as the matrix [hidden, experts * cols], which sums over the experts. */
function sideBySide({ shape, values }: HostTensor): HostTensor {
  const [experts = 1, rows = 1, cols = 1] = shape;
  const joined = new Float32Array(values.length);
  for (let e = 0; e < experts; e += 1) {
    for (let r = 0; r < rows; r += 1) {
      const from = (e * rows + r) * cols;
      joined.set(values.subarray(from, from + cols), (r * experts + e) * cols);
    }
  }
  return { shape: [rows, experts * cols], values: joined };
}

/** Each expert is an attention layer over the sequence; the weights are factors of its heads. */
export function addAttentionExperts(
  { nodes, tensors, scope, experts }: ExpertSite,
  expert: AttentionExpert,
  x: Tensor,
  { ids, weights, places }: ExpertRoutes,
): Tensor {
  const { headSize: size, causal, rotary, scale = size ** -0.5 } = expert;
  const get = (name: 'query' | 'key' | 'value' | 'output') =>
    tensors.get(expert[name], { ...scope, experts });
  const [query, key, value] = [get('query'), get('key'), get('value')];
  const isShared = key.shape.length === 2;
  const q = turned(nodes, nodes.dense('expert query', x, flat(query)), size, rotary);
  const k = turned(nodes, nodes.dense('expert key', x, flat(key)), size, rotary);
  const v = nodes.dense('expert value', x, flat(value));
  const attended = nodes.cell('attend', [q, k, v], {
    cols: q.perToken,
    n: [size, k.perToken / size, isShared ? 1 : 0, causal ? 1 : 0],
    f: [scale],
  });
  const each = Array.from({ length: experts }, (_, e) =>
    nodes.cell('weight-of', [weights], { cols: 1, n: [e, places], ids }),
  );
  const scaled = nodes.cell('scale-heads', [attended, nodes.concat(each)], {
    ...{ cols: attended.perToken, n: [attended.perToken / experts] },
  });
  return nodes.dense('expert output', scaled, sideBySide(get('output')));
}

/** Queries, keys and values of all heads, before positions. */
export function addHeads(
  { nodes, tensors, scope }: Pick<ExpertSite, 'nodes' | 'tensors' | 'scope'>,
  heads: HeadTensors,
  x: Tensor,
): { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor } {
  const project = (name: 'query' | 'key' | 'value') =>
    nodes.dense(name, x, flat(tensors.get(heads[name], scope)));
  return { q: project('query'), k: project('key'), v: project('value') };
}

/** Attention whose later heads are chosen like experts, each times its weight. */
export function addChosenHeads(
  { nodes, tensors, scope }: Pick<ExpertSite, 'nodes' | 'tensors' | 'scope'>,
  heads: Heads,
  x: Tensor,
  projected: ReturnType<typeof addHeads>,
  { ids, weights, places }: ExpertRoutes,
): Tensor {
  const { headSize: size, rotary, causal, sharedHeads, gates, scale = size ** -0.5 } = heads;
  const q = turned(nodes, projected.q, size, rotary);
  const k = turned(nodes, projected.k, size, rotary);
  const attended = nodes.cell('attend', [q, k, projected.v], {
    ...{ cols: q.perToken, n: [size, k.perToken / size, 0, causal ? 1 : 0], f: [scale] },
  });
  const shared = gates ? nodes.dense('shared gates', x, tensors.get(gates.shared, scope)) : weights;
  const balance = gates ? nodes.dense('balance', x, tensors.get(gates.balance, scope)) : weights;
  const own = nodes.cell('head-weights', [weights, shared, balance], {
    ...{ cols: q.perToken / size, n: [sharedHeads, places, gates ? 1 : 0], ids },
  });
  const scaled = nodes.cell('scale-heads', [attended, own], { cols: attended.perToken, n: [size] });
  return nodes.dense('output', scaled, tensors.get(heads.output, scope));
}

/** Heads that attend among the tokens that they chose, each times the token's weight. */
export function addSparseHeads(
  { nodes, tensors, scope, experts }: ExpertSite,
  heads: HeadTensors,
  x: Tensor,
  { ids, weights, places }: ExpertRoutes,
): Tensor {
  const { headSize: size, rotary } = heads;
  const { q, k, v } = addHeads({ nodes, tensors, scope }, heads, x);
  const attended = nodes.cell(
    'sparse-attend',
    [turned(nodes, q, size, rotary), turned(nodes, k, size, rotary), v],
    { cols: q.perToken, n: [size, places], f: [size ** -0.5], ids },
  );
  const each = Array.from({ length: experts }, (_, e) =>
    nodes.cell('weight-of', [weights], { cols: 1, n: [e, places], ids }),
  );
  const scaled = nodes.cell('scale-heads', [attended, nodes.concat(each)], {
    cols: attended.perToken,
    n: [size],
  });
  return nodes.dense('output', scaled, sideBySide(tensors.get(heads.output, scope)));
}
