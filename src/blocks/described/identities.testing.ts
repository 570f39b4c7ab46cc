/** Runs the routing of a description on the reference, for tests of what rules have in common. */
import { GraphBuilder } from '../../graph/builder.ts';
import { runOnCpu } from '../../graph/cpu.ts';
import { plainStep, type HostArray } from '../../graph/node.ts';
import type { Tensor, Weight } from '../../graph/tensor.ts';
import { hooks as hooksGrammar } from '../../models/layer/layer.ts';
import { router as routerGrammar } from '../../models/layer/router.ts';
import { addRouting } from './routing.ts';

/** A router from its scores on, as JSON has it. */
export interface WrittenRouting {
  readonly transform?: readonly object[];
  readonly select: object;
  readonly weigh?: object;
  readonly capacity?: object;
  readonly nullExperts?: number;
}

/** A router's scores, and what its description names. */
export interface RoutingRun {
  readonly scores: Float32Array; // [tokens, experts + nullExperts]
  readonly experts: number;
  readonly most: number;
  readonly hooks?: object;
  readonly offsets?: readonly number[]; // where sequences begin, and the number of tokens
  readonly tensors?: Readonly<Record<string, HostArray>>; // of the layer and the request
}

/** Routes [tokens, most]. */
export interface Routes {
  readonly ids: Uint32Array;
  readonly weights: Float32Array;
}

/** The routes of a described router. */
export function routesOf(router: WrittenRouting, run: RoutingRun): Routes {
  const { scores, experts, most, hooks, offsets, tensors = {} } = run;
  const scored = experts + (router.nullExperts ?? 0);
  const tokens = scores.length / scored;
  const builder = new GraphBuilder();
  const named = (name: string): HostArray => {
    const values = tensors[name];
    if (!values) throw new Error(`the test has no ${name}`);
    return values;
  };
  const inputs = new Map<Tensor, HostArray>();
  const input = (name: string, shape: Parameters<GraphBuilder['tensor']>[1], values: HostArray): Tensor => {
    const tensor = builder.tensor(name, { ...shape, role: 'input' });
    inputs.set(tensor, values);
    return tensor;
  };
  const site = {
    builder,
    ...{ label: 'layer', experts, most },
    scores: input('scores', { type: 'f32', perToken: scored }, Float32Array.from(scores)),
    sequences: () =>
      offsets && {
        offsets: input('offsets', { type: 'u32', fixed: offsets.length }, Uint32Array.from(offsets)),
        count: offsets.length - 1,
      },
    layer: (name: unknown) => () => Float32Array.from(named(name as string)),
    request: (name: string, shape: Parameters<GraphBuilder['tensor']>[1]) => input(name, shape, named(name)),
    links: (name: string) => input(name, { type: 'f32', perToken: tokens }, named(name)),
  };
  const { ids, weights } = addRouting(
    site,
    routerGrammar.read({ score: { kind: 'zero' }, ...router }, 'router'),
    hooks ? { hooks: hooksGrammar.read(hooks, 'hooks') } : {},
  );
  const computed = ({ source }: Weight) =>
    source.kind === 'computed' ? source.values() : new Float32Array();
  const resources = { weight: computed, experts: undefined, contextTokens: tokens };
  const get = runOnCpu(builder.buildPart(), resources, new Map(), plainStep(tokens, 0), inputs);
  return { ids: get(ids) as Uint32Array, weights: get(weights) as Float32Array };
}

/** The experts of a token and their weights, without padding. */
export function tokenRoutes(
  { ids, weights }: Routes,
  token: number,
  { most, experts }: Pick<RoutingRun, 'most' | 'experts'>,
): (readonly [id: number, weight: number])[] {
  return [...ids.subarray(token * most, (token + 1) * most)]
    .map((id, place) => [id, weights.at(token * most + place) ?? 0] as const)
    .filter(([id]) => id < experts);
}
