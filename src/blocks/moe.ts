/** A sublayer of routed experts: router, prediction of later layers, experts, and the shared expert. */
import { scaleRowsNode } from '../graph/ops/basic.ts';
import { skipLightNode } from '../graph/ops/skip-light.ts';
import type { RouteOutputs } from '../graph/node.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { MoeSpec, NormSpec, RouterSpec } from '../models/spec.ts';
import { addShared, sharedBranch, type SublayerInput } from './mlp.ts';
import { normOf, postNormOf } from './norm.ts';
import type { RouterHooks, Routes, Site } from './site.ts';
import type { Blocks } from './table.ts';

/** A sublayer with routed experts, and the preceding norm. */
export interface MoeSublayer {
  readonly norm: NormSpec;
  readonly moe: MoeSpec;
}

/** The position of a sublayer in the model. */
export interface MoePlace {
  readonly specLayer: number; // index among all layers of the spec
  readonly bank: number; // index among the sublayers with experts
  readonly later: readonly MoeSublayer[]; // in execution order
}

/** The addition of a sublayer to the stream [tokens, hidden], and its routes. */
export interface MoeBranch {
  readonly y: Tensor;
  readonly route: RouteOutputs;
}

/** Adds routed experts and the shared expert. */
export function expertsBranch(
  site: Site,
  blocks: Blocks,
  input: SublayerInput,
  moe: MoeSpec,
  place: MoePlace,
): MoeBranch {
  const { builder, label, purpose } = site;
  const { experts, expert, router, shared, post } = moe;
  const { specLayer, bank } = place;
  const { x, normed } = input;
  const kind = blocks.expert(expert);
  const { takesHooks = false, most } = blocks.router(router);
  const hooks = takesHooks ? purpose.hooks?.(builder, { bank, experts, topK: most(router) }) : undefined;
  const names = { label, bank, name: `route ${bank}`, hooks };
  const read = routerInput(site, input, router);
  site.routed.inputs[bank] = read;
  const own = site.routed.decided.get(bank) ?? route(site, blocks, read, moe, names);
  const { ids, weights, scores, inputs } = own;
  const routes = { ids, weights };
  const decided = decideAhead(site, blocks, read, place);
  const { skipBelow: bound = 0 } = purpose;
  if (bound > 0) {
    const dropIds = kind.skipsBy === 'id';
    builder.add(skipLightNode(label, { ...routes, topK: ids.perToken, bound, dropIds }));
  }
  const look = lookAhead(site, blocks, x, place);
  // Before the routed experts, so that the GPU is busy while these are fetched.
  const branch = shared && sharedBranch(site, input, shared);
  const here = site.moe(label, { experts, bank, name: label });
  const scaled = inputs ? scaledInput(site, normed, inputs) : normed;
  const sum = postNormOf(site.at(`${label} experts`), kind.add(here, scaled, routes, expert), post);
  const y = branch ? addShared(site, sum, branch) : sum;
  const around = { stream: x, routed: sum };
  const known = { specLayer, bank, experts, ids, weights, scores, look, decided };
  return { y, route: { ...known, hooks: hooks?.inputs, around } };
}

/** What a router reads: the input of its experts, another norm of the stream, or the stream with which the layer began. */
function routerInput(
  site: Site,
  { x, entry, normed }: SublayerInput,
  { input, norm }: Pick<RouterSpec, 'input' | 'norm'>,
): Tensor {
  if (input === 'layer') return entry;
  return norm === undefined ? normed : normOf(site.at(`${site.label} router`), x, norm);
}

/** The experts' input [tokens, hidden], times a factor per token. */
function scaledInput({ builder, label, hidden }: Site, x: Tensor, factors: Tensor): Tensor {
  const y = builder.tensor(`${label} scaled`, { perToken: hidden });
  builder.add(scaleRowsNode(label, { x, factors, y, cols: hidden }));
  return y;
}

/** Where a router is added; predictions have no hooks. */
interface RoutePlace {
  readonly label: string;
  readonly bank: number;
  readonly name: string;
  readonly hooks?: RouterHooks | undefined;
}

/** Adds the router, with tensors named after `name`. */
function route(
  site: Site,
  blocks: Blocks,
  x: Tensor,
  { experts, router }: MoeSpec,
  { label, ...place }: RoutePlace,
): Routes {
  return blocks.router(router).add(site.moe(label, { experts, ...place }), x, router);
}

/** Decides for the later layers whose routers read nothing that is not known here. */
function decideAhead(
  site: Site,
  blocks: Blocks,
  x: Tensor,
  { bank, later }: MoePlace,
): NonNullable<RouteOutputs['decided']> {
  return later.flatMap(({ moe }, ahead) => {
    const own = bank + 1 + ahead;
    const at = blocks.router(moe.router).decidedAt?.(moe.router, own) ?? own;
    if (at > bank || site.routed.decided.has(own)) return [];
    const names = { label: `${site.label} for ${own}`, bank: own, name: `route ${own}` };
    const routes = route(site, blocks, x, moe, names);
    site.routed.decided.set(own, routes);
    return [{ bank: own, ids: routes.ids }];
  });
}

/**
 * Predicts the choices of the next layers, by their routers' norms and routers on the current stream. No other result of the step
 * depends on them.
 *
 * @returns ids [tokens, its most] of each, the nearest layer first
 */
function lookAhead(site: Site, blocks: Blocks, x: Tensor, { bank, later }: MoePlace): Tensor[] {
  const { builder, purpose } = site;
  const look: Tensor[] = [];
  for (const [ahead, { norm, moe }] of later.slice(0, purpose.lookahead ?? 0).entries()) {
    const decided = site.routed.decided.get(bank + 1 + ahead);
    if (decided) {
      look.push(decided.ids);
      continue;
    }
    const label = `${site.label} look ${ahead}`;
    const names = { label, bank, name: `look ${bank} ${ahead}` };
    builder.when(
      ({ lookahead = 0 }) => ahead < lookahead,
      () => {
        const read = moe.router.input === 'layer' ? x : normOf(site.at(label), x, moe.router.norm ?? norm);
        look.push(route(site, blocks, read, moe, names).ids);
      },
    );
  }
  return look;
}
