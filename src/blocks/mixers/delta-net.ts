import { AtomoeError, invariant } from '../../errors.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import { causalConvNode, deltaScanNode, gatedNormNode } from '../../graph/ops/recurrent.ts';
import type { DeltaNetSpec } from '../../models/spec.ts';
import type { Mixer } from '../block.ts';
import { checkTaps } from '../check-sizes.ts';

/** Columns that are convolved: q and k of all key heads, v of all heads. */
function convolved({ keyHeads, keyDim, heads, dims }: DeltaNetSpec): number {
  return 2 * keyHeads * keyDim + heads * dims;
}

/**
 * A gated delta net (Yang, Kautz and Hatamizadeh 2024, arXiv:2412.06464). Its state is a matrix per head, and the inputs of the
 * convolution of the last tokens.
 */
export const deltaNet: Mixer<DeltaNetSpec> = {
  kind: 'deltaNet',
  check({ heads, keyHeads, taps }, label) {
    checkTaps(label, taps);
    if (heads % keyHeads === 0) return;
    throw new AtomoeError(
      'unsupported-model',
      `${label} config.json: ${heads} value heads over ${keyHeads} key heads; wanted a whole number of heads each; choose another model`,
    );
  },
  state: (spec) => [
    { name: 'recent inputs', rewind: 'parity', size: (spec.taps - 1) * convolved(spec), type: 'f32' },
    { name: 'states', rewind: 'parity', size: spec.keyDim * spec.heads * spec.dims, type: 'f32' },
  ],
  add(site, x, spec, { 'recent inputs': recent, states: state }) {
    invariant(recent && state, () => 'a delta net keeps its recent inputs and its states');
    const { builder, label, hidden, eps } = site;
    const { keyHeads, keyDim, heads, dims, tiled = false, taps, rates } = spec;
    const inner = heads * dims;
    const cols = convolved(spec);
    const rows = cols + inner + 2 * heads; // q, k and v, then z, then b and a
    const projected = builder.tensor(`${label} projected`, { perToken: rows, type: 'f32' });
    const input = site.matrix(spec.input, rows, hidden);
    builder.add(linearNode(`${label} delta in`, { x, weight: input, y: projected }));
    const mixed = builder.tensor(`${label} convolved`, { perToken: cols, type: 'f32' });
    const kernel = { tensor: spec.convolution, shape: [cols, 1, taps] };
    const weight = builder.exact(spec.convolution, cols, taps, kernel);
    const convolution = { x: { tensor: projected, first: 0 }, weight, bias: undefined, recent, y: mixed };
    builder.add(causalConvNode(label, convolution));
    const names = [rates.decay, rates.bias];
    const parts = names.map((tensor) => ({ tensor, shape: [heads] }));
    const scanned = builder.tensor(`${label} scanned`, { perToken: inner, type: 'f32' });
    builder.add(
      deltaScanNode(label, {
        ...{ keyHeads, keyDim, heads, dims, tiled, state, mixed, y: scanned },
        gates: { tensor: projected, first: cols + inner },
        rates: builder.exact(names.join(' + '), 2 * heads, 1, ...parts),
      }),
    );
    const normed = builder.tensor(`${label} gated`, { perToken: inner });
    const gain = builder.exact(spec.norm, 1, dims, spec.norm);
    const gate = { tensor: projected, first: cols };
    const norm = { x: scanned, gate, gain, y: normed, groups: heads, isGateFirst: false, eps };
    builder.add(gatedNormNode(label, norm));
    const y = site.stream(`${label} delta out`);
    const out = site.matrix(spec.out, hidden, inner);
    builder.add(linearNode(`${label} delta out`, { x: normed, weight: out, y }));
    return y;
  },
};
