import { AtomoeError } from '../../errors.ts';
import { gateNode } from '../../graph/ops/gate.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import type { Weight } from '../../graph/tensor.ts';
import { checkStages, type RouterRule } from '../../kernels/routing/rule.ts';
import type { LinearScoreSpec, RouterSpec, SelectSpec } from '../../models/spec.ts';
import type { TensorRows } from '../../weights/tensor-rows.ts';
import type { Router } from '../block.ts';
import type { MoeSite } from '../site.ts';

type LinearRouterSpec = RouterSpec<LinearScoreSpec>;

/** One score per expert, s = weight x + bias; softmax, sigmoid, identity or registered stages; the k best, optionally within groups. */
export const linear: Router<LinearRouterSpec> = {
  kind: 'linear',
  takesHooks: true,
  most: ({ select }) => select.k,
  check(spec, label) {
    checkStages(ruleOf(spec, label));
    if (spec.weigh?.on !== 'input' || spec.select.k === 1) return;
    throw new AtomoeError(
      'unsupported-model',
      `${label}: ${spec.select.k} experts per token whose inputs are weighted; wanted 1; choose another model`,
    );
  },
  add(site, x, spec) {
    const { builder, label, hidden, experts, hooks } = site;
    const makeGate = hooks?.gateNode ?? gateNode;
    const { score, select } = spec;
    const logits = builder.tensor(`${label} router logits`, { type: 'f32', perToken: experts });
    const weight = builder.exact(score.weight, experts, hidden, score.weight);
    const scoreBias = score.bias === undefined ? undefined : biasWeight(site, score.bias);
    const { multiplier = 1 } = score;
    builder.add(linearNode(`${label} router`, { x, weight, bias: scoreBias, y: logits, multiplier }));
    hooks?.edit(logits);
    const routes = site.routes(select.k);
    const bias = select.bias
      ? biasWeight(site, select.bias)
      : builder.computed(`no bias ${experts}`, experts, 1, () => new Float32Array(experts));
    const factors = spec.weigh?.factors === undefined ? undefined : biasWeight(site, spec.weigh.factors);
    const rule = ruleOf(spec, label);
    const gate = { logits, bias, factors, experts, topK: select.k };
    if (spec.weigh?.on !== 'input') {
      builder.add(makeGate(label, { ...gate, ...routes, rule }));
      return routes;
    }
    // The only expert of a token has weight 1, the softmax over one; the rule's weight is a factor of its input.
    builder.add(
      makeGate(label, { ...gate, ...routes, factors: undefined, rule: { ...rule, renorm: 'softmax' } }),
    );
    const ids = builder.tensor(`${label} weighted ids`, { type: 'u32', perToken: 1 });
    const inputs = builder.tensor(`${label} input weights`, { type: 'f32', perToken: 1 });
    builder.add(makeGate(`${label} inputs`, { ...gate, ids, weights: inputs, rule }));
    return { ...routes, inputs };
  },
};

/** A vector has one row per element; some files have a matrix of one row instead. */
function biasWeight({ builder, experts }: MoeSite, bias: TensorRows | string): Weight {
  const { tensor, shape } = typeof bias === 'string' ? { tensor: bias, shape: [experts] } : bias;
  const [rows, cols] = shape?.length === 2 ? [1, experts] : [experts, 1];
  return builder.exact(tensor, rows, cols, bias);
}

/** Weightings of logits, not of affinities. */
const OF_LOGITS: ReadonlySet<string> = new Set(['softmax', 'sigmoid', 'sparsemixer']);

/** The routing rule of the gate kernel for the stages of a spec. */
function ruleOf({ transform = [], select, weigh = {} }: LinearRouterSpec, label: string): RouterRule {
  const { from = 'affinity', normalise = 'none', epsilon = 0, scale = 1 } = weigh;
  const [step, ...more] = transform;
  const isKnown = more.length === 0 && from === 'affinity' && (!OF_LOGITS.has(normalise) || !step);
  if (!isKnown) {
    const stages = [...transform.map(({ kind }) => kind), `weights from ${from}, normalised by ${normalise}`];
    throw new AtomoeError(
      'unsupported-model',
      `${label}: the linear router does not combine ${stages.join(', ')}; wanted one transform at most, and a softmax ` +
        'over the chosen only without one; write a router for it',
    );
  }
  return {
    score: step?.kind ?? 'identity',
    renorm: normalise,
    eps: epsilon,
    scale,
    groups: groupsOf(select),
  };
}

function groupsOf({ groups }: SelectSpec): RouterRule['groups'] {
  if (!groups) return null;
  const { count, keep, by } = groups;
  return { count, keep, score: by === 'sumOfTopTwo' ? 'two-best' : by };
}
