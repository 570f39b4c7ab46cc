/** Streamed runs say what the resident run says, bit for bit, whatever is turned that should not matter. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PolicyName } from './api.ts';
import type { LocalEngine } from './engine.ts';
import { delays, forced, modelInMemory, pairwise, type Latency } from './streaming.testing.ts';
import { firstDifference, openEngine, readGolden, TRAINED_MODELS, type TrainedGolden } from './testing.ts';

const PAIR_SEED = 3;
const DELAY_SEED = 5;
const NAN_POISON = 0x7fc07e01; // as f32 and as two halves: NaN
const HUGE_POISON = 0x7f7f7bff; // as f32 and as two halves: finite and huge

/** Every pair of values occurs. */
const CELLS = pairwise(
  {
    ratio: [1, 1.5, 2, 4],
    policy: ['ema', 'lru', 'lfru', 'random'] as readonly PolicyName[],
    lookahead: [0, 1, 2, 'wrong'],
    runAhead: [0, 1, 3],
    latency: ['zero', 'jitter', 'reordered'] as readonly Latency[],
  },
  PAIR_SEED,
);

/** One of each kind: every policy once. The others run in test:all. */
const QUICK_CELLS = CELLS.filter(
  ({ policy }, index) => CELLS.findIndex((cell) => cell.policy === policy) === index,
);
const OTHER_CELLS = CELLS.filter((cell) => !QUICK_CELLS.includes(cell));

const TOP_K = { 'fable-omni-8m': 32, 'fable-moe-12m': 4 } as const;
const UNITS = { 'fable-omni-8m': 64, 'fable-moe-12m': 32 } as const;

const PROMPT_TOKENS = 240; // of the 256 of the context; the rest come one by one

test('the cells are at most 40 for both models', () => {
  expect(CELLS.length * TRAINED_MODELS.length).toBeLessThanOrEqual(40);
});

describe.each(TRAINED_MODELS)('%s', (name) => {
  const latency = delays(DELAY_SEED);
  let isWrong = false;
  let engine: LocalEngine;
  let ids: readonly number[];
  let want: Float32Array;
  const [topK, units] = [TOP_K[name], UNITS[name]];

  beforeAll(async () => {
    const folder = await modelInMemory(`demo/public/models/${name}`);
    ids = (await readGolden<TrainedGolden>(folder)).perplexity.ids.slice(0, 256);
    engine = await openEngine({
      streamTesting: {
        poison: name === 'fable-moe-12m' ? NAN_POISON : HUGE_POISON,
        delay: latency.delay,
        link: () => ({ utilisation: 0, bytesPerMs: Infinity }),
        mistake: (layer, guessed, count) => {
          // Units that a layer is least likely to want: all the others.
          if (!isWrong) return;
          const right = new Set(guessed.subarray(0, count));
          let at = 0;
          for (let unit = layer; at < count && unit < layer + units; unit += 1) {
            if (!right.has(unit % units)) guessed[at++] = unit % units;
          }
        },
      },
    });
    await engine.load(folder);
    want = await forced(engine.runner, ids, PROMPT_TOKENS);
  });

  afterAll(() => engine.dispose());

  const title = '$ratio x, $policy, lookahead $lookahead, $runAhead ahead, $latency';
  test.each(QUICK_CELLS)(title, sameBits);
  test.each(OTHER_CELLS)(title, { tags: ['full'] }, sameBits);

  async function sameBits(cell: (typeof CELLS)[number]): Promise<void> {
    const { ratio, policy, lookahead, runAhead } = cell;
    latency.set(cell.latency);
    isWrong = lookahead === 'wrong';
    const places = Math.min(units, ratio * topK);
    await engine.resize({
      streaming: {
        start: 'now',
        fill: false,
        slotsPerLayer: places,
        policy,
        seed: 11,
        runAhead,
        lookahead: lookahead === 'wrong' ? 1 : lookahead,
        hostBudget: cell.latency === 'zero' ? 2 ** 30 : 0,
      },
    });
    const { runner } = engine;
    const got = await forced(runner, ids, PROMPT_TOKENS);
    expect(firstDifference(got, want)).toBe('equal');
    const memory = runner.experts!;
    const { hits, misses, evictions, speculated, adopted, wasted, uploads, promptLoads } =
      memory.streamer.counters;
    const { aborts, resumes } = memory.steps.counters;
    const isFull = places === units;
    const guesses = lookahead !== 0 && !isFull;
    // With a place for each unit the prompt leaves next to nothing to miss, and then steps no longer stop.
    const sign = (count: number) => (count > 0 ? 'some' : 'none');
    expect({
      used: (hits > 0 && misses > 0) || isFull,
      evictions: sign(evictions),
      aborts: isFull || sign(aborts),
      speculated: sign(speculated),
      adopted: lookahead === 'wrong' || sign(adopted),
      wasted: lookahead !== 'wrong' || isFull || sign(wasted),
    }).toEqual({
      used: true,
      evictions: isFull ? 'none' : 'some',
      aborts: isFull || (runAhead > 0 ? 'some' : 'none'),
      speculated: guesses ? 'some' : 'none',
      adopted: lookahead === 'wrong' || (guesses ? 'some' : 'none'),
      wasted: lookahead !== 'wrong' || isFull || 'some',
    });
    expect(resumes).toBe(aborts);
    expect(wasted).toBeLessThanOrEqual(0.1 * (uploads + promptLoads + speculated));
  }
});
