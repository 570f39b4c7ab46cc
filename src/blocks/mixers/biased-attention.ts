import { invariant } from '../../errors.ts';
import { keyBiasNode } from '../../graph/ops/key-bias.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { BiasedAttentionSpec } from '../../models/spec.ts';
import type { Mixer, States } from '../block.ts';
import type { Site } from '../site.ts';
import { attend, checkHeads, keysAndValues } from './attention.ts';

/** Attention whose keys have biases, made of their values (Doge). */
export const biasedAttention: Mixer<BiasedAttentionSpec> = {
  kind: 'biasedAttention',
  check: checkHeads,
  state: (spec) => [...keysAndValues(spec), { name: 'key bias', perPosition: spec.kvHeads, type: 'f32' }],
  add: (site, x, spec, states) => attend(site, x, spec, states, biased(site, x, spec, states)),
};

/** Appends the biases of keys to their cache, and returns it: they are linear in the values, and so in x. */
function biased(
  site: Site,
  x: Tensor,
  { keyBias, qkv, kvHeads, headDim }: BiasedAttentionSpec,
  states: States,
): Tensor {
  const { builder, label, hidden } = site;
  const cache = states['key bias'];
  const values = qkv.weight[2];
  invariant(cache && values && !qkv.bias, () => 'biases of keys are made of values without a bias');
  const weight = builder.derived(
    `${keyBias.weight} ${values.tensor}`,
    kvHeads,
    hidden,
    {
      outer: { tensor: keyBias.weight, rows: kvHeads, cols: kvHeads * headDim },
      inner: { tensor: values.tensor, rows: kvHeads * headDim, cols: hidden },
    },
    ({ outer = new Float32Array(0), inner = new Float32Array(0) }) => composed(outer, inner, kvHeads, hidden),
  );
  const y = builder.tensor(`${label} key bias linear`, { type: 'f32', perToken: kvHeads });
  builder.add(linearNode(`${label} key bias`, { x, weight, y }));
  const slope = builder.exact(keyBias.slope, kvHeads, 1, keyBias.slope);
  builder.add(keyBiasNode(label, { x: y, slope, cache, heads: kvHeads }));
  return cache;
}

/** The matrix of outer (inner x), [rows, cols], of outer [rows, n] and inner [n, cols]. */
function composed(
  outer: Float32Array,
  inner: Float32Array,
  rows: number,
  cols: number,
): Float32Array<ArrayBuffer> {
  const n = outer.length / rows;
  const out = new Float64Array(rows * cols);
  for (let row = 0; row < rows; row += 1) {
    const sums = out.subarray(row * cols, (row + 1) * cols);
    for (let i = 0; i < n; i += 1) {
      const factor = outer[row * n + i] ?? 0;
      for (const [col, value] of inner.subarray(i * cols, (i + 1) * cols).entries())
        sums[col] = (sums[col] ?? 0) + factor * value;
    }
  }
  return Float32Array.from(out);
}
