import { AtomoeError, invariant } from '../../errors.ts';
import { attentionNode } from '../../graph/ops/attention.ts';
import { scaleRowsNode } from '../../graph/ops/basic.ts';
import { gateSigmoidNode } from '../../graph/ops/gate-sigmoid.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import { ropeKvNode } from '../../graph/ops/rope-kv.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { AttentionSpec, LinearSpec } from '../../models/spec.ts';
import type { Mixer, States, StateSpec } from '../block.ts';
import { checkQuads } from '../check-sizes.ts';
import type { Site } from '../site.ts';
import { ropeTable } from './rope-table.ts';

/** Causal grouped-query attention with a KV cache. */
export const attention: Mixer<AttentionSpec> = {
  kind: 'attention',
  check: checkHeads,
  state: keysAndValues,
  add: (site, x, spec, states) => attend(site, x, spec, states),
};

/** What attention needs to know, whatever its kind is called. */
export type AttentionSizes = Omit<AttentionSpec, 'kind'>;

/** @throws {AtomoeError} bad-file; unsupported-model - heads that do not fit; `label` names the model */
export function checkHeads({ heads, kvHeads, headDim }: AttentionSizes, label: string): void {
  checkQuads(label, 'head_dim', headDim);
  if (heads % kvHeads === 0) return;
  throw new AtomoeError(
    'bad-file',
    `${label} config.json: ${heads} heads over ${kvHeads} key-value heads; wanted a whole number of heads each; check config.json`,
  );
}

/** The states of attention. */
export function keysAndValues({ kvHeads, headDim }: AttentionSizes): StateSpec[] {
  return [
    { name: 'keys', perPosition: kvHeads * headDim },
    { name: 'values', perPosition: kvHeads * headDim },
  ];
}

/** x [tokens, hidden] -> [tokens, hidden]; `keyBias` [contextTokens, kvHeads] is added to the scores of keys. */
export function attend(
  site: Site,
  x: Tensor,
  spec: AttentionSizes,
  states: States,
  keyBias?: Tensor,
): Tensor {
  const { builder, label, hidden } = site;
  const { heads, kvHeads, headDim, scale, window, chunk } = spec;
  const rows = (heads + 2 * kvHeads) * headDim;
  const qkv = builder.tensor(`${label} qkv`, { perToken: rows });
  const weight = site.matrix(spec.qkv, rows, hidden);
  builder.add(linearNode(`${label} qkv`, { x, weight, bias: site.bias(spec.qkv, rows), y: qkv }));
  const { q: turned, kCache, vCache } = rotated(site, qkv, spec, states);
  const q = tempered(site, turned, spec);
  const o = builder.tensor(`${label} attended`, { perToken: heads * headDim });
  const shape = { heads, kvHeads, headDim };
  const sinks = spec.sinks === undefined ? undefined : builder.exact(spec.sinks, heads, 1, spec.sinks);
  builder.add(attentionNode(label, { ...shape, q, kCache, vCache, o, scale, window, chunk, sinks, keyBias }));
  const y = site.stream(`${label} attention out`);
  const out = site.matrix(spec.out, hidden, heads * headDim);
  const bias = site.bias(spec.out, hidden);
  const mixed = spec.gate ? gated(site, x, o, spec.gate) : o;
  builder.add(linearNode(`${label} attention out`, { x: mixed, weight: out, bias, y }));
  return y;
}

/** o * sigmoid(gate(x)) */
function gated(site: Site, x: Tensor, o: Tensor, spec: LinearSpec): Tensor {
  const { builder, label, hidden } = site;
  const { perToken } = o;
  const gate = builder.tensor(`${label} attention gate`, { perToken });
  const bias = site.bias(spec, perToken);
  const weight = site.matrix(spec, perToken, hidden);
  builder.add(linearNode(`${label} attention gate`, { x, weight, bias, y: gate }));
  const y = builder.tensor(`${label} attended, gated`, { perToken });
  builder.add(gateSigmoidNode(label, { x: o, gate, y }));
  return y;
}

/** Rotates queries and keys, and appends keys and values to the cache. */
function rotated(site: Site, qkv: Tensor, attention: AttentionSizes, { keys, values }: States) {
  const { builder, label, eps } = site;
  const { heads, kvHeads, headDim, norm, rope, clip } = attention;
  const queries = heads * headDim;
  const cached = kvHeads * headDim;
  const gain = (name: string | undefined, count: number) => {
    const cols = norm.kind === 'vector' ? count : headDim;
    if (name !== undefined) return site.gain(name, cols);
    return builder.computed(`ones ${cols}`, 1, cols, () => new Float32Array(cols).fill(1));
  };
  const angles = ropeTable(site, rope);
  const gains = norm.kind === 'none' ? undefined : { q: gain(norm.q, queries), k: gain(norm.k, cached) };
  invariant(keys && values, () => 'attention keeps keys and values');
  const [kCache, vCache] = [keys, values];
  const q = builder.tensor(`${label} q`, { perToken: queries });
  const { rotaryDim, style } = rope;
  const shape = { heads, kvHeads, headDim, norm: norm.kind, rotaryDim, style, eps, clip };
  builder.add(ropeKvNode(label, { ...shape, qkv, angles, gains, q, kCache, vCache }));
  return { q, kCache, vCache };
}

/** Multiplies queries by their temperature, if there is one. */
function tempered({ builder, label, purpose }: Site, q: Tensor, { temperature }: AttentionSizes): Tensor {
  if (!temperature) return q;
  const { scale, span } = temperature;
  const positions = purpose.contextTokens;
  const factors = builder.computed(`temperature ${scale} ${span}`, positions, 1, () =>
    Float32Array.from({ length: positions }, (_, at) => 1 + scale * Math.log1p(Math.floor((at + 1) / span))),
  );
  const y = builder.tensor(`${label} tempered q`, { perToken: q.perToken });
  builder.add(scaleRowsNode(`${label} temperature`, { x: q, factors, y, cols: q.perToken }));
  return y;
}
