import type { InputDescription, RouterDescription, ScoreDescription } from '../../models/layer/router.ts';

/**
 * How many layers with experts before its own a router's decision can be made: all hidden states that it reads are of layers that are
 * at least so many before. Infinity: it reads none.
 */
export function layersBefore({ input, score, state, select, weigh }: RouterDescription): number {
  const readsOwn =
    state !== undefined ||
    (typeof weigh.from === 'object' && weigh.from.kind === 'linear') ||
    select.drop.some(({ kind }) => kind === 'mask');
  return readsOwn ? 0 : ofScore(score, input);
}

function ofScore(score: ScoreDescription, input: InputDescription): number {
  switch (score.kind) {
    case 'zero':
    case 'caller':
    case 'random':
      return Infinity;
    case 'condition':
      return ofScore(score.otherwise, input);
    case 'sum':
      return Math.min(...score.terms.map((term) => ofScore(term.score, term.input ?? input)));
    default:
      return Math.min(
        ...input.parts.map((part) => (part.from === 'hidden' ? (part.earlier ?? 0) : Infinity)),
      );
  }
}
