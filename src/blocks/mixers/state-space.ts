import { AtomoeError, invariant } from '../../errors.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import { causalConvNode, gatedNormNode, stateScanNode } from '../../graph/ops/recurrent.ts';
import type { StateSpaceSpec } from '../../models/spec.ts';
import type { Mixer } from '../block.ts';
import { checkTaps } from '../check-sizes.ts';

/** Bounds of dt without effect: the largest f32. */
const NO_BOUNDS = [0, 3.4028234663852886e38] as const;

/** Columns that are convolved: x of all heads, B and C of all groups. */
function convolved({ heads, dims, groups, states }: StateSpaceSpec): number {
  return heads * dims + 2 * groups * states;
}

/**
 * Selective state spaces (Mamba-2, Dao and Gu 2024, arXiv:2405.21060). Their state is a matrix per head, and the inputs of the
 * convolution of the last tokens.
 */
export const stateSpace: Mixer<StateSpaceSpec> = {
  kind: 'stateSpace',
  check({ heads, groups, taps, normGroups }, label) {
    checkTaps(label, taps);
    if (heads % groups === 0 && heads % normGroups === 0) return;
    throw new AtomoeError(
      'unsupported-model',
      `${label} config.json: ${heads} heads in ${groups} groups; wanted a whole number of heads each; choose another model`,
    );
  },
  state: (spec) => [
    { name: 'recent inputs', rewind: 'parity', size: (spec.taps - 1) * convolved(spec), type: 'f32' },
    { name: 'states', rewind: 'parity', size: spec.states * spec.heads * spec.dims, type: 'f32' },
  ],
  add(site, x, spec, { 'recent inputs': recent, states: state }) {
    invariant(recent && state, () => 'a state space keeps its recent inputs and its states');
    const { builder, label, hidden, eps } = site;
    const { heads, dims, groups, states, taps, convolution, rates, bounds = NO_BOUNDS } = spec;
    const inner = heads * dims;
    const cols = convolved(spec);
    const rows = inner + cols + heads; // z, then x, B and C, then dt
    const projected = builder.tensor(`${label} projected`, { perToken: rows, type: 'f32' });
    const input = site.matrix(spec.input, rows, hidden);
    const inputBias = site.bias(spec.input, rows);
    builder.add(linearNode(`${label} states in`, { x, weight: input, bias: inputBias, y: projected }));
    const mixed = builder.tensor(`${label} convolved`, { perToken: cols, type: 'f32' });
    const { weight, bias } = convolution;
    builder.add(
      causalConvNode(label, {
        x: { tensor: projected, first: inner },
        weight: builder.exact(weight, cols, taps, { tensor: weight, shape: [cols, 1, taps] }),
        bias: bias === undefined ? undefined : builder.exact(bias, cols, 1, { tensor: bias, shape: [cols] }),
        recent,
        y: mixed,
      }),
    );
    const names = [rates.decay, rates.skip, rates.bias];
    const parts = names.map((tensor) => ({ tensor, shape: [heads] }));
    const scanned = builder.tensor(`${label} scanned`, { perToken: inner, type: 'f32' });
    builder.add(
      stateScanNode(label, {
        ...{ heads, dims, groups, states, bounds, state, mixed, y: scanned },
        dt: { tensor: projected, first: inner + cols },
        rates: builder.exact(names.join(' + '), 3 * heads, 1, ...parts),
      }),
    );
    const normed = builder.tensor(`${label} gated`, { perToken: inner });
    const gain = builder.exact(spec.norm, 1, inner, spec.norm);
    const gate = { tensor: projected, first: 0 };
    const norm = { x: scanned, gate, gain, y: normed, groups: spec.normGroups, isGateFirst: true, eps };
    builder.add(gatedNormNode(label, norm));
    const y = site.stream(`${label} states out`);
    const out = site.matrix(spec.out, hidden, inner);
    const outBias = site.bias(spec.out, hidden);
    builder.add(linearNode(`${label} states out`, { x: normed, weight: out, bias: outBias, y }));
    return y;
  },
};
