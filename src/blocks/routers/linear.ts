import { gateNode } from '../../graph/ops/gate.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { MoeSpec } from '../../models/spec.ts';
import type { Routes, Site } from '../site.ts';

/** One logit an expert, x W^T, of which the rule takes the best: x [tokens, hidden]. */
export function routeLinear(site: Site, x: Tensor, moe: MoeSpec, name: string): Routes {
  const { builder, label, hidden } = site;
  const { experts, topK, router } = moe;
  const logits = builder.tensor(`${label} router logits`, { type: 'f32', perToken: experts });
  const weight = builder.exact(router.weight, experts, hidden, router.weight);
  builder.add(linearNode(`${label} router`, { x, weight, y: logits }));
  const routes = site.routes(name, topK);
  const bias = router.bias
    ? builder.exact(router.bias, experts, 1, router.bias)
    : builder.computed(`no bias ${experts}`, experts, 1, () => new Float32Array(experts));
  builder.add(gateNode(label, { logits, bias, ...routes, experts, topK, rule: router.rule }));
  return routes;
}
