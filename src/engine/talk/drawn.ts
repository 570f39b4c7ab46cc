import type { Candidates } from '../../graph/ops/sample.ts';
import type { CheckedOptions } from '../options.ts';
import { allCandidates, draw } from './draw.ts';
import type { Picked } from './pick.ts';
import { uniform } from './random.ts';

/** Draws a token by (seed, position); of all logits where the candidates do not suffice. */
export async function drawToken(
  candidates: Candidates,
  logits: () => Promise<Float32Array>,
  options: CheckedOptions,
  position: number,
): Promise<Picked> {
  const chance = uniform(options.seed, position);
  let drawn = draw(candidates, options, chance);
  if (drawn.kind === 'insufficient') {
    drawn = draw(allCandidates(await logits(), options.temperature), options, chance);
  }
  if (drawn.kind === 'insufficient') throw new Error('all logits do not suffice to draw a token');
  if (options.logprobs === undefined) return { id: drawn.id, logprob: undefined, alternatives: [] };
  return { id: drawn.id, logprob: drawn.logprob, alternatives: likeliest(candidates, options.logprobs) };
}

function likeliest({ ids, logits, sum }: Candidates, count: number): { id: number; logprob: number }[] {
  const [best = 0] = logits;
  return Array.from(ids.subarray(0, count), (id, rank) => ({
    id,
    logprob: (logits[rank] ?? 0) - best - Math.log(sum),
  }));
}
