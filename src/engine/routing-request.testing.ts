/** Described routers that read tensors of a request, with the experts that follow from these alone. Not part of the library. */
import { EXPERTS, LANGUAGE, LAYER, LAYERS, OWN, VOCAB } from './described-model.testing.ts';
import type { RequestTensor, RequestTensors } from './api.ts';
import { uniform } from './talk/random.ts';

/** A text, and how many rows tensors have for it. */
export const IDS = Array.from({ length: 21 }, (_, at) => (17 * at + 5) % VOCAB);
const TOKENS = IDS.length;

/** Numbers from -1 to 1. */
function numbers(seed: number, ...shape: number[]): RequestTensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length: count }, (_, at) => 2 * uniform(seed, at) - 1);
  return { shape, values };
}

const chosen: RequestTensor = {
  shape: [TOKENS, 2],
  values: Array.from({ length: 2 * TOKENS }, (_, at) =>
    at % 10 === 3 ? EXPERTS : (3 * (at >> 1) + 2 * (at % 2)) % EXPERTS,
  ),
};
const scores = numbers(31, TOKENS, EXPERTS);
const kinds: RequestTensor = {
  shape: [TOKENS, 1],
  values: Array.from({ length: TOKENS }, (_, at) => (at >> 1) % 2),
};

/** A rule, its request, and the ids of a token in every layer where they follow from the request. */
export interface RequestCase {
  readonly description: object;
  readonly tensors: RequestTensors;
  readonly ids?: (position: number) => readonly number[];
}

const rowOf = ({ shape, values }: RequestTensor, position: number) => {
  const [, width = 1] = shape;
  return Array.from(values).slice(position * width, (position + 1) * width);
};
const chosenOf = (position: number) => rowOf(chosen, position).filter((id) => id < EXPERTS);
const twoBest = (row: readonly number[]) =>
  [...row.keys()].toSorted((a, b) => (row[b] ?? 0) - (row[a] ?? 0) || a - b).slice(0, 2);
const byScores = { ...OWN, score: { kind: 'caller', name: 'scores' } };

/** Each way in which a router reads a request. */
export const CASES: Readonly<Record<string, RequestCase>> = {
  'inputs of a token': {
    description: {
      ...LAYER,
      router: {
        ...OWN,
        input: { parts: [{ from: 'hidden' }, { from: 'caller', name: 'language', width: LANGUAGE }] },
        score: { kind: 'linear', weight: 'routing.wide' },
      },
    },
    tensors: { language: numbers(30, TOKENS, LANGUAGE) },
  },
  'one row of inputs for all tokens': {
    description: {
      ...LAYER,
      router: {
        ...OWN,
        input: { parts: [{ from: 'hidden' }, { from: 'caller', name: 'language', width: LANGUAGE }] },
        score: { kind: 'linear', weight: 'routing.wide' },
      },
    },
    tensors: { language: numbers(32, LANGUAGE) },
  },
  'scores of a token': {
    description: { ...LAYER, router: byScores },
    tensors: { scores },
    ids: (position) => twoBest(rowOf(scores, position)),
  },
  'scores and experts decided once for all layers': {
    description: { ...LAYER, router: { ...byScores, scope: { decision: 'model' } } },
    tensors: { scores },
    ids: (position) => twoBest(rowOf(scores, position)),
  },
  'experts of a token, some none, with weights': {
    description: {
      ...LAYER,
      most: 2,
      router: {
        score: { kind: 'zero' },
        select: { kind: 'ids', name: 'chosen' },
        weigh: { from: { kind: 'caller', name: 'weights' } },
      },
    },
    tensors: { chosen, weights: { shape: [TOKENS, 2], values: numbers(33, TOKENS, 2).values } },
    ids: chosenOf,
  },
  'a bias of the request': {
    description: { ...LAYER, router: { ...byScores, transform: [] }, hooks: { bias: 'delta' } },
    tensors: { scores, delta: { shape: [EXPERTS], values: [9, 0, 0, 0, 0, 0, 0, 5] } },
    ids: () => [0, 7],
  },
  'a replay, weights recomputed': {
    description: { ...LAYER, router: OWN, hooks: { replay: { ids: 'chosen' } } },
    tensors: { chosen },
    ids: chosenOf,
  },
  'a condition of the token': {
    description: {
      ...LAYER,
      router: {
        ...OWN,
        score: { kind: 'condition', name: 'kinds', equals: 1, experts: [2, 5], otherwise: OWN.score },
      },
    },
    tensors: { kinds },
  },
  'thresholds by kind, and a number of experts by importance': {
    description: {
      ...LAYER,
      router: {
        ...OWN,
        select: {
          kind: 'topK',
          k: { from: 'importance', name: 'importance', least: 1, most: 4 },
          drop: [{ kind: 'belowThreshold', thresholds: [0, 0.15], by: 'kinds' }],
        },
      },
    },
    tensors: {
      kinds,
      importance: {
        shape: [TOKENS, 1],
        values: numbers(34, TOKENS).values.map((value) => Math.abs(value)) as Float32Array,
      },
    },
  },
};

/** The ids that a case expects of every token. */
export function wanted({ ids }: RequestCase): (readonly (readonly number[])[])[] | undefined {
  return ids && IDS.map((_, position) => Array.from({ length: LAYERS }, () => ids(position)));
}
