import { invariant } from '../../errors.ts';
import { attentionNode } from '../../graph/ops/attention.ts';
import { latentKeysNode, latentQueryNode, latentValuesNode } from '../../graph/ops/latent.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import { rmsNormNode } from '../../graph/ops/norm.ts';
import type { Tensor, Weight } from '../../graph/tensor.ts';
import type { LatentAttentionSpec } from '../../models/spec.ts';
import type { Mixer } from '../block.ts';
import { checkQuads } from '../check-sizes.ts';
import type { Site } from '../site.ts';
import { ropeTable } from './rope-table.ts';

/**
 * Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434), absorbed: the cache has latents and one shared key per
 * position, and attention runs over these with queries in their space, as if all heads shared one key head.
 */
export const latentAttention: Mixer<LatentAttentionSpec> = {
  kind: 'latentAttention',
  check({ rank, nope, rope }, label) {
    checkQuads(label, 'kv_lora_rank', rank);
    checkQuads(label, 'qk_nope_head_dim', nope);
    checkQuads(label, 'qk_rope_head_dim', rope.rotaryDim);
  },
  state: ({ rank, rope }) => [{ name: 'latents', perPosition: rank + rope.rotaryDim }],
  add(site, x, spec, { latents }) {
    invariant(latents, () => 'latent attention keeps latents');
    const { builder, label, hidden } = site;
    const { heads, valueDim: dims, rank, rope, scale } = spec;
    const shape = { rank, rotary: rope.rotaryDim, style: rope.style };
    const size = rank + rope.rotaryDim;
    const angles = ropeTable(site, rope);
    const compressed = builder.tensor(`${label} latents`, { perToken: size });
    const down = site.matrix(spec.latent, size, hidden);
    const downBias = site.bias(spec.latent, size);
    builder.add(linearNode(`${label} latents`, { x, weight: down, bias: downBias, y: compressed }));
    const gain = builder.exact(spec.norm, 1, rank, spec.norm);
    const { eps } = spec;
    builder.add(latentKeysNode(label, { ...shape, x: compressed, gain, angles, cache: latents, eps }));
    const q = builder.tensor(`${label} q in latents`, { perToken: heads * size });
    const query = { q: queries(site, x, spec), weight: keyWeight(site, spec), angles, y: q };
    builder.add(latentQueryNode(label, { ...shape, ...query, heads, nope: spec.nope }));
    const o = builder.tensor(`${label} attended`, { perToken: heads * size });
    const cache = { kCache: latents, vCache: latents, window: 0 };
    builder.add(attentionNode(label, { ...cache, heads, kvHeads: 1, headDim: size, q, o, scale }));
    const values = builder.tensor(`${label} values`, { perToken: heads * dims });
    const weight = valueWeight(site, spec);
    builder.add(latentValuesNode(label, { ...shape, o, weight, y: values, heads, dims }));
    const y = site.stream(`${label} attention out`);
    const out = site.matrix(spec.out, hidden, heads * dims);
    const bias = site.bias(spec.out, hidden);
    builder.add(linearNode(`${label} attention out`, { x: values, weight: out, bias, y }));
    return y;
  },
};

/** q [tokens, heads, nope + rotary], from x or from its own latents. */
function queries(site: Site, x: Tensor, spec: LatentAttentionSpec): Tensor {
  const { builder, label, hidden } = site;
  const { heads, nope, rope, queryLatent, eps } = spec;
  const rows = heads * (nope + rope.rotaryDim);
  let from = x;
  if (queryLatent) {
    const { rank, down, norm } = queryLatent;
    const latent = site.stream(`${label} q latent`, { perToken: rank }); // norms take f32
    const weight = site.matrix(down, rank, hidden);
    builder.add(linearNode(`${label} q latent`, { x, weight, bias: site.bias(down, rank), y: latent }));
    from = builder.tensor(`${label} q latent normed`, { perToken: rank });
    const gain = builder.exact(norm, 1, rank, norm);
    builder.add(rmsNormNode(`${label} q latent`, { x: latent, gain, y: from, eps }));
  }
  const q = builder.tensor(`${label} q`, { perToken: rows });
  const weight = site.matrix(spec.query, rows, queryLatent?.rank ?? hidden);
  builder.add(linearNode(`${label} q`, { x: from, weight, y: q }));
  return q;
}

/** The map from latents to keys and values as parts of derived weights. */
function upPart({ up, heads, nope, valueDim, rank }: LatentAttentionSpec) {
  return { up: { tensor: up, rows: heads * (nope + valueDim), cols: rank } };
}

/** The key half of the map from latents, transposed for each head: [heads * rank, nope]. */
function keyWeight({ builder }: Site, spec: LatentAttentionSpec): Weight {
  const { heads, nope, valueDim, rank } = spec;
  return builder.derived(`${spec.up} keys`, heads * rank, nope, upPart(spec), ({ up = NONE }) => {
    const weight = new Float32Array(heads * rank * nope);
    for (let h = 0; h < heads; h += 1) {
      for (let i = 0; i < nope; i += 1) {
        const from = (h * (nope + valueDim) + i) * rank;
        for (let r = 0; r < rank; r += 1) weight[(h * rank + r) * nope + i] = up[from + r] ?? NaN;
      }
    }
    return weight;
  });
}

/** The value half of the map from latents: [heads * valueDim, rank]. */
function valueWeight({ builder }: Site, spec: LatentAttentionSpec): Weight {
  const { heads, nope, valueDim, rank } = spec;
  return builder.derived(`${spec.up} values`, heads * valueDim, rank, upPart(spec), ({ up = NONE }) => {
    const weight = new Float32Array(heads * valueDim * rank);
    for (let h = 0; h < heads; h += 1) {
      const from = (h * (nope + valueDim) + nope) * rank;
      weight.set(up.subarray(from, from + valueDim * rank), h * valueDim * rank);
    }
    return weight;
  });
}

const NONE = new Float32Array(0);
