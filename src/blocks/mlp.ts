import { addSharedNode, gluActivationNode } from '../graph/ops/basic.ts';
import { linearNode } from '../graph/ops/linear.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { GatedMlpSpec, SharedSpec } from '../models/spec.ts';
import { normOf, postNormOf } from './norm.ts';
import type { Site } from './site.ts';

/** down(act(gate x) * up x), with gate and up in one projection: x [tokens, hidden] -> [tokens, hidden]. */
export function gatedMlp(site: Site, x: Tensor, mlp: GatedMlpSpec): Tensor {
  const { builder, label, hidden } = site;
  const { width, activation } = mlp;
  const gateUp = builder.tensor(`${label} gate up`, { perToken: 2 * width });
  const weight = site.matrix(mlp.gateUp, 2 * width, hidden);
  const gateUpBias = site.bias(mlp.gateUp, 2 * width);
  builder.add(linearNode(`${label} gate up`, { x, weight, bias: gateUpBias, y: gateUp }));
  const h = builder.tensor(`${label} activated`, { perToken: width });
  builder.add(gluActivationNode(label, { gateUp, y: h, width, activation }));
  const y = site.stream(`${label} down`);
  const down = site.matrix(mlp.down, hidden, width);
  builder.add(linearNode(`${label} down`, { x: h, weight: down, bias: site.bias(mlp.down, hidden), y }));
  return y;
}

/** The inputs of a sublayer. */
export interface SublayerInput {
  readonly x: Tensor; // the stream [tokens, hidden]
  readonly normed: Tensor; // its normalised values
  readonly entry: Tensor; // the stream with which the layer began [tokens, hidden]
}

/** The contribution of a shared expert. */
export interface SharedBranch {
  readonly b: Tensor; // [tokens, hidden]
  readonly gate: Tensor | undefined; // f32 [tokens], before the sigmoid
}

/** Adds the shared expert, with an optional gate. */
export function sharedBranch(
  site: Site,
  { x: stream, normed }: Omit<SublayerInput, 'entry'>,
  shared: SharedSpec,
): SharedBranch {
  const { builder, label, hidden } = site;
  const here = site.at(`${label} shared`);
  const x = shared.norm === undefined ? normed : normOf(here, stream, shared.norm);
  const b = postNormOf(here, gatedMlp(here, x, shared), shared.post);
  if (shared.gate === undefined) return { b, gate: undefined };
  const gate = builder.tensor(`${label} shared gate`, { type: 'f32', perToken: 1 });
  const weight = builder.exact(shared.gate, 1, hidden, shared.gate);
  builder.add(linearNode(`${label} shared gate`, { x, weight, y: gate }));
  return { b, gate };
}

/** routed + sigmoid(gate) * shared; without a gate, the sum. */
export function addShared(site: Site, routed: Tensor, shared: SharedBranch): Tensor {
  const y = site.stream(`${site.label} mixed`);
  site.builder.add(addSharedNode(site.label, { a: routed, ...shared, y, cols: site.hidden }));
  return y;
}
