/** Bookkeeping is bounded by counts, not by a clock: what a layer costs may not grow with what it does not use. */
import { describe, expect, test } from 'vitest';
import { ema, type MakePolicy } from '../src/experts/policy.ts';
import { oneLayer, openStreamer, SHAPE, type Kind, type Told } from './bookkeeping.ts';

const { layers, topK, places } = SHAPE;

interface Counts {
  uses: number;
  scores: number;
  begins: number;
  writes: number; // of GPU buffers
}

/** What happens in one pass over all layers, after a warm-up. */
async function countPass(kind: Kind): Promise<Counts & { hits: number; misses: number }> {
  const counts: Counts = { uses: 0, scores: 0, begins: 0, writes: 0 };
  const told: Told = { writes: 0 };
  const inner = ema();
  const policy: MakePolicy = (shape) => {
    const made = inner(shape);
    return {
      begin: (units, count) => {
        counts.begins += 1;
        made.begin(units, count);
      },
      use: (unit) => {
        counts.uses += 1;
        made.use(unit);
      },
      score: (unit) => {
        counts.scores += 1;
        return made.score(unit);
      },
      observe: (uses, tokens) => made.observe(uses, tokens),
    };
  };
  const streamer = await openStreamer(told, policy);
  const chosen = new Uint32Array(topK);
  const warm = 4 * layers;
  for (let index = 0; index < warm; index += 1) oneLayer(streamer, kind, index, chosen);
  Object.assign(counts, { uses: 0, scores: 0, begins: 0 });
  told.writes = 0;
  const before = streamer.counters;
  for (let index = warm; index < warm + layers; index += 1) oneLayer(streamer, kind, index, chosen);
  const after = streamer.counters;
  const hits = after.hits - before.hits;
  return { ...counts, writes: told.writes, hits, misses: after.misses - before.misses };
}

describe('for each layer of a token', () => {
  test('all of whose experts are there, nothing is scored and the GPU is told nothing', async () => {
    const { uses, scores, begins, writes, hits } = await countPass('resident');
    expect({ uses, scores, begins, writes, hits }).toEqual({
      uses: layers * topK,
      scores: 0,
      begins: layers,
      writes: 0,
      hits: layers * topK,
    });
  });

  test('none of whose experts is there, each place is scored once, each record written once, the table once', async () => {
    const { uses, scores, begins, writes, misses } = await countPass('missing');
    expect(misses).toBe(layers * topK);
    expect({ uses, begins }).toEqual({ uses: layers * topK, begins: layers });
    expect(scores).toBeLessThanOrEqual(layers * places);
    expect(writes).toBe(layers * (topK + 1));
  });

  test('guesses write no record twice, and no table more than twice', async () => {
    const { scores, writes, misses } = await countPass('guessed');
    expect(misses).toBe(layers * topK);
    expect(scores).toBeLessThanOrEqual(layers * places);
    expect(writes).toBeLessThanOrEqual(layers * (topK + 2));
  });
});
