/** A sublayer of routed experts: its router, what it tells ahead, its experts, and the shared one beside them. */
import { atomicExpertsNode } from '../graph/ops/atomic-experts.ts';
import { expertsNode } from '../graph/ops/moe.ts';
import { rmsNormNode } from '../graph/ops/norm.ts';
import { skipLightNode } from '../graph/ops/skip-light.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { AtomicSpec, LayerSpec, MoeSpec } from '../models/spec.ts';
import { addShared, sharedBranch } from './mlp.ts';
import { routeLinear } from './routers/linear.ts';
import { routeProduct } from './routers/product.ts';
import type { Routes, Site } from './site.ts';

/** What a sublayer reads. */
export interface SublayerInput {
  readonly x: Tensor; // the stream [tokens, hidden]
  readonly normed: Tensor; // its norm
}

/** Where a layer stands among those that come after it. */
export interface ExpertLayer {
  readonly layer: number; // among the layers with experts
  readonly later: readonly LayerSpec[];
}

/** Routed experts, and the shared one beside them. */
export function expertsBranch(
  site: Site,
  { x, normed }: SublayerInput,
  mlp: MoeSpec | AtomicSpec,
  { layer, later }: ExpertLayer,
): Tensor {
  const { builder, label, hidden, purpose } = site;
  const { experts, topK, activation } = mlp;
  const routes = route(site, normed, mlp, `route ${layer}`);
  const { skipBelow: bound = 0 } = purpose;
  if (bound > 0) builder.add(skipLightNode(label, { ...routes, topK, bound, dropIds: mlp.kind === 'moe' }));
  lookAhead(site, x, { layer, later });
  // Ahead of the routed experts: the GPU has something to do while they are fetched.
  const shared = mlp.shared && sharedBranch(site, normed, mlp.shared);
  const routed = site.stream(`${label} routed`);
  const io = { x: normed, ...routes, y: routed, layer, experts, topK, hidden, activation };
  builder.add(
    mlp.kind === 'moe' ? expertsNode(label, { ...io, width: mlp.width }) : atomicExpertsNode(label, io),
  );
  return shared ? addShared(site, routed, shared) : routed;
}

/** Which experts each token takes, as outputs of the graph named after `name`. */
function route(site: Site, x: Tensor, mlp: MoeSpec | AtomicSpec, name: string): Routes {
  return mlp.kind === 'moe' ? routeLinear(site, x, mlp, name) : routeProduct(site, x, mlp, name);
}

/**
 * What the next layers would choose if the stream stayed as it is: their own routers and norms on it. Nothing in the
 * step depends on it.
 */
function lookAhead(site: Site, x: Tensor, { layer, later }: ExpertLayer): void {
  const { builder, purpose, hidden, eps } = site;
  const next = later.filter(({ mlp }) => mlp.kind !== 'dense');
  for (const [ahead, { mlp, mlpNorm }] of next.slice(0, purpose.lookahead ?? 0).entries()) {
    if (mlp.kind === 'dense') continue;
    const label = `${site.label} look ${ahead}`;
    const gain = builder.exact(mlpNorm, 1, hidden, mlpNorm);
    const y = builder.tensor(`${label} normed`, { perToken: hidden });
    builder.when(
      ({ lookahead = 0 }) => ahead < lookahead,
      () => {
        builder.add(rmsNormNode(label, { x, gain, y, eps }));
        route(site.at(label), y, mlp, `look ${layer} ${ahead}`);
      },
    );
  }
}
