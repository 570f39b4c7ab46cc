import type { GateSize } from './gate.ts';
import { gateStages, stageParams, type RouterRule } from './rule.ts';
import { stageOf } from './stages/index.ts';
import { largest } from './stages/select.ts';

const MASK_LIMIT = -1e37; // a bias below it excludes the expert

/**
 * a = score(logits); s = a + bias; ids = the topK experts by s among those that the selection allows, largest first,
 * ties to the lower id; weights = weigh(their a, or their logits), times the factors of the experts. If fewer may be chosen,
 * the rest have id `experts` and weight 0.
 *
 * logits [tokens, experts], bias [experts] -> ids [tokens, topK], weights [tokens, topK]
 */
export function gateReference(
  logits: Float32Array,
  bias: Float32Array,
  {
    tokens,
    experts,
    topK,
    rule,
    factors,
  }: GateSize & { rule: RouterRule; factors?: Float32Array | undefined },
): { ids: Uint32Array<ArrayBuffer>; weights: Float32Array<ArrayBuffer> } {
  const names = gateStages(rule);
  const params = stageParams(rule);
  const select = stageOf('select', names.select);
  const weigh = stageOf('weigh', names.weigh);
  const ids = new Uint32Array(tokens * topK).fill(experts);
  const weights = new Float32Array(tokens * topK);
  for (let t = 0; t < tokens; t += 1) {
    const row = Float64Array.from(logits.subarray(t * experts, (t + 1) * experts));
    const affinities = row.slice();
    stageOf('score', names.score).reference(affinities, params);
    // Selection compares single-precision values, as the kernel does.
    const selection = affinities.map((value, e) => Math.fround(Math.fround(value) + bias[e]!));
    select.reference(selection, params);
    const chosen = largest(selection, topK, MASK_LIMIT);
    const values = Float64Array.from(chosen, (e) =>
      weigh.from === 'row' ? weigh.valueOf(row, e, params) : (weigh.from === 'logits' ? row : affinities)[e]!,
    );
    weigh.reference(values, params);
    ids.set(chosen, t * topK);
    chosen.forEach((e, rank) => (weights[t * topK + rank] = values[rank]! * (factors?.[e] ?? 1)));
  }
  return { ids, weights };
}
