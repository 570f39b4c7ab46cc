import type { GateSize } from './gate.ts';
import { gateStages, stageParams, type RouterRule } from './rule.ts';
import { stageOf } from './stages/index.ts';
import { largest } from './stages/select.ts';
import { MASKED } from './stages/stage.ts';

const MASK_LIMIT = -1e37; // a bias below it excludes the expert

/** Ids and weights [tokens, topK]. */
export interface GateRouting {
  readonly ids: Uint32Array<ArrayBuffer>;
  readonly weights: Float32Array<ArrayBuffer>;
}

/** What the hooks of a request put in the place of the selection and its weights. */
export interface GateHooks {
  /** The experts of a token by rank, `experts` for none, from those that may be chosen, best first. */
  choose(token: number, ranked: readonly number[]): readonly number[];
  weight(token: number, rank: number, own: number): number;
}

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
    hooks,
  }: GateSize & { rule: RouterRule; factors?: Float32Array | undefined; hooks?: GateHooks },
): GateRouting {
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
    if (hooks) row.forEach((logit, e) => (selection[e] = logit < MASK_LIMIT ? MASKED : selection[e]!));
    select.reference(selection, params);
    const best = largest(selection, hooks ? experts : topK, MASK_LIMIT);
    const chosen = hooks ? hooks.choose(t, best) : best;
    const ranks = [...chosen.keys()].filter((rank) => chosen[rank]! < experts);
    const values = Float64Array.from(ranks, (rank) => {
      const e = chosen[rank]!;
      if (weigh.from === 'row') return weigh.valueOf(row, e, params);
      return (weigh.from === 'logits' ? row : affinities)[e]!;
    });
    weigh.reference(values, params);
    for (const [index, rank] of ranks.entries()) {
      const e = chosen[rank]!;
      const weight = values[index]! * (factors?.[e] ?? 1);
      ids[t * topK + rank] = e;
      weights[t * topK + rank] = hooks ? hooks.weight(t, rank, weight) : weight;
    }
  }
  return { ids, weights };
}
