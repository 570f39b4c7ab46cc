/** Patterns that mix inputs or weights instead of choosing (section 10 of the format). */
import type { Tensor } from '../../graph/tensor.ts';
import type { ExpertDescription } from '../../models/layer/expert.ts';
import type { PatternDescription } from '../../models/layer/layer.ts';
import type { TensorReference } from '../../models/layer/tensor-reference.ts';
import { addExperts, type ExpertRoutes, type ExpertSite } from './experts.ts';
import { refuse } from './routing-site.ts';

/** Slots read mixtures of the tokens of a sequence, and tokens get mixtures of the slots' outputs. */
export function addSoftMix(
  site: ExpertSite,
  expert: ExpertDescription | undefined,
  { slots, perExpert }: Extract<PatternDescription, { kind: 'softMix' }>,
  x: Tensor,
): Tensor {
  const { nodes, tensors } = site;
  if (!expert) return refuse('pattern', 'softMix without experts');
  const matrix = tensors.get(slots);
  const [count = 1, width = 1] = matrix.shape;
  const logits = nodes.dense('slots', x, matrix);
  const inputs = nodes.cell('slot-inputs', [logits, x], { cols: count * width, n: [count, width] });
  const outputs = Array.from({ length: count }, (_, slot) => {
    const ids = nodes.cell('constant', [], { cols: 1, f: [Math.floor(slot / perExpert)], type: 'u32' });
    const weights = nodes.cell('constant', [], { cols: 1, f: [1] });
    const own = nodes.slice(inputs, slot * width, width);
    return addExperts(site, expert, own, { ids, weights, places: 1 }, { apply: 'output', combine: 'add' });
  });
  const [first] = outputs;
  const cols = first?.perToken ?? width;
  return nodes.cell('slot-outputs', [logits, nodes.concat(outputs)], { cols, n: [count] });
}

/**
 * One expert whose tensors are sums of all experts' by the weights. Products with a sum of matrices are sums of products, so no
 * matrix is made.
 */
export function addMergedExperts(
  { nodes, tensors, scope, experts }: ExpertSite,
  expert: ExpertDescription,
  x: Tensor,
  { ids, weights, places }: ExpertRoutes,
): Tensor {
  const extra = (['before', 'after', 'alias', 'bits', 'scale'] as const).find(
    (key) => (expert as { readonly [N in typeof key]?: unknown })[key] !== undefined,
  );
  if (extra) return refuse('pattern', `mergeWeights of experts with ${extra}`);
  const merged = (name: string, rows: Tensor, matrix: TensorReference, bias?: TensorReference) => {
    const get = (reference: TensorReference) => tensors.get(reference, { ...scope, experts });
    const use = { experts, places, xPlaces: 1, ids, matrix: get(matrix) };
    const all = nodes.pairs(`merged ${name}`, rows, {
      ...use,
      bias: bias === undefined ? undefined : get(bias),
    });
    return nodes.cell('combine', [all, weights], { cols: all.perToken / places, n: [places, experts], ids });
  };
  if (expert.kind === 'linear') return merged('weight', x, expert.weight, expert.bias);
  if (expert.kind !== 'plain' && expert.kind !== 'gated') {
    return refuse('pattern', `mergeWeights of ${expert.kind} experts`);
  }
  const up = merged('up', x, expert.up, expert.upBias);
  const h =
    expert.kind === 'plain'
      ? nodes.activate(up, expert.activation)
      : nodes.multiply(merged('gate', x, expert.gate, expert.gateBias), up, expert.activation);
  return merged('down', h, expert.down, expert.downBias);
}
