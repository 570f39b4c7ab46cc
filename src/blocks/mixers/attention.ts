import { AtomoeError, invariant } from '../../errors.ts';
import { attentionNode, ropeKvNode } from '../../graph/ops/attention.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import type { Tensor, Weight } from '../../graph/tensor.ts';
import { ropeAngles } from '../../kernels/attention/rope-angles.ts';
import type { AttentionSpec, RopeSpec } from '../../models/spec.ts';
import type { Mixer, States } from '../block.ts';
import { checkQuads } from '../check-sizes.ts';
import type { Site } from '../site.ts';

/** Causal grouped-query attention with a KV cache. */
export const attention: Mixer<AttentionSpec> = {
  kind: 'attention',
  check({ heads, kvHeads, headDim }, label) {
    checkQuads(label, 'head_dim', headDim);
    if (heads % kvHeads === 0) return;
    throw new AtomoeError(
      'bad-file',
      `${label} config.json: ${heads} heads over ${kvHeads} key-value heads; wanted a whole number of heads each; check config.json`,
    );
  },
  state: ({ kvHeads, headDim }) => [
    { name: 'keys', perPosition: kvHeads * headDim },
    { name: 'values', perPosition: kvHeads * headDim },
  ],
  add(site, x, spec, states) {
    const { builder, label, hidden } = site;
    const { heads, kvHeads, headDim, scale, window } = spec;
    const rows = (heads + 2 * kvHeads) * headDim;
    const qkv = builder.tensor(`${label} qkv`, { perToken: rows });
    const weight = site.matrix(spec.qkv, rows, hidden);
    builder.add(linearNode(`${label} qkv`, { x, weight, bias: site.bias(spec.qkv, rows), y: qkv }));
    const { q, kCache, vCache } = rotated(site, qkv, spec, states);
    const o = builder.tensor(`${label} attended`, { perToken: heads * headDim });
    const shape = { heads, kvHeads, headDim };
    const sinks = spec.sinks === undefined ? undefined : builder.exact(spec.sinks, heads, 1, spec.sinks);
    builder.add(attentionNode(label, { ...shape, q, kCache, vCache, o, scale, window, sinks }));
    const y = site.stream(`${label} attention out`);
    const out = site.matrix(spec.out, hidden, heads * headDim);
    const bias = site.bias(spec.out, hidden);
    builder.add(linearNode(`${label} attention out`, { x: o, weight: out, bias, y }));
    return y;
  },
};

/** Rotates queries and keys, and appends keys and values to the cache. */
function rotated(site: Site, qkv: Tensor, attention: AttentionSpec, { keys, values }: States) {
  const { builder, label, eps } = site;
  const { heads, kvHeads, headDim, norm, rope } = attention;
  const queries = heads * headDim;
  const cached = kvHeads * headDim;
  const gain = (name: string, count: number) =>
    builder.exact(name, 1, norm.kind === 'vector' ? count : headDim, name);
  const angles = ropeTable(site, rope);
  const gains = norm.kind === 'none' ? undefined : { q: gain(norm.q, queries), k: gain(norm.k, cached) };
  invariant(keys && values, () => 'attention keeps keys and values');
  const [kCache, vCache] = [keys, values];
  const q = builder.tensor(`${label} q`, { perToken: queries });
  const { rotaryDim, style } = rope;
  const shape = { heads, kvHeads, headDim, norm: norm.kind, rotaryDim, style, eps };
  builder.add(ropeKvNode(label, { ...shape, qkv, angles, gains, q, kCache, vCache }));
  return { q, kCache, vCache };
}

/** The table of rotary angles [positions, rotaryDim], shared by all layers with equal parameters. */
function ropeTable({ builder, purpose }: Site, rope: RopeSpec): Weight {
  const { theta, rotaryDim, scaling } = rope;
  const positions = purpose.contextTokens;
  return builder.computed(ropeName(rope), positions, rotaryDim, () =>
    ropeAngles({ theta, rotaryDim, scaling, positions }),
  );
}

/** A name that includes all parameters of the angles, since weights with the same name are shared. */
function ropeName({
  theta,
  rotaryDim,
  scaling = {},
}: Pick<RopeSpec, 'theta' | 'rotaryDim'> & { readonly scaling?: object }): string {
  const rules = Object.entries(scaling).sort(([a], [b]) => (a < b ? -1 : 1));
  return ['rope', theta, rotaryDim, ...rules.map(([key, value]) => `${key}=${value}`)].join(' ');
}
