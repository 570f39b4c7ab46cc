/** What hooks of requests may be, and the path of what is wrong. */
import { describe, expect, test } from 'vitest';
import { linear } from '../../blocks/routers/linear.ts';
import { product } from '../../blocks/routers/product.ts';
import { AtomoeError } from '../../errors.ts';
import type { BlockSpec, MoeSpec, RouterSpec } from '../../models/spec.ts';
import type { Router } from '../../blocks/block.ts';
import { readHooks, type HookedModel } from './hooks.ts';

const gated = { kind: 'gated', width: 4, activation: 'silu' } as unknown as MoeSpec['expert'];
const topK = { select: { kind: 'topK', k: 2 } } as const;
const router: RouterSpec = { score: { kind: 'linear', weight: 'w' } as RouterSpec['score'], ...topK };
const moe = (own: Partial<RouterSpec> = {}): BlockSpec =>
  ({ kind: 'moe', experts: 4, expert: gated, router: { ...router, ...own } }) as unknown as BlockSpec;
const dense = { kind: 'dense' } as unknown as BlockSpec;

/** A layer without experts, then two with four each, of which a token takes two. */
function modelOf(block = moe(), own: Router = linear as unknown as Router, skipBelow = 0): HookedModel {
  const layer = (one: BlockSpec) => ({ sublayers: [{ norm: 'n', block: one }] });
  return {
    spec: { vocab: 9, layers: [layer(dense), layer(block), layer(moe())] as HookedModel['spec']['layers'] },
    blocks: { router: ({ score }) => (score === router.score ? (linear as unknown as Router) : own) },
    lossy: { skipBelow },
  };
}

const trace = { tokens: [{ ids: [[0, 1], [2]], weights: [[0.5, 0.5], [1]] }] };

describe('errors name the path', () => {
  test.each<readonly [RegExp, unknown]>([
    [/^hooks\.mask is .*only all, layers, replay/, { mask: [1] }],
    [/^hooks\.layers is a list of 1; wanted 2 entries, one for each layer with experts/, { layers: [null] }],
    [/^hooks\.layers\.1\.bias is a list of 3; wanted 4 numbers/, { layers: [null, { bias: [1, 2, 3] }] }],
    [/^hooks\.all\.bias\.2 is "x"; wanted a number/, { all: { bias: [0, 0, 'x', 0] } }],
    [/^hooks\.all\.mask\.1 is 4; wanted an expert of 0 to 3/, { all: { mask: [3, 4] } }],
    [/^hooks\.all\.mask\.0 is -1; wanted a whole number/, { all: { mask: [-1] } }],
    [/^hooks\.all\.steer\.experts\.0 is 7;/, { all: { steer: { experts: [7], strength: 1 } } }],
    [/^hooks\.all\.steer\.strength is missing/, { all: { steer: { experts: [1] } } }],
    [
      /^hooks\.all\.steer\.mode is "hot"; wanted "soft", "hard"/,
      { all: { steer: { experts: [1], mode: 'hot' } } },
    ],
    [/^hooks\.layers\.0\.ranks\.1 is 2; wanted each rank once/, { layers: [{ ranks: [2, 2] }, null] }],
    [/^hooks\.all\.ranks\.0 is 4; wanted a rank of 0 to 3/, { all: { ranks: [4] } }],
    [/^hooks\.all\.ranks is a list of 3; wanted at most 2/, { all: { ranks: [0, 1, 2] } }],
    [
      /^hooks\.all\.ranks is a list of 1; wanted none beside hooks\.replay/,
      { all: { ranks: [0] }, replay: { trace } },
    ],
    [/^hooks\.replay\.trace is missing/, { replay: {} }],
    [
      /^hooks\.replay\.trace\.tokens\.0\.ids is a list of 1; wanted 2 entries/,
      { replay: { trace: { tokens: [{ ids: [[0]] }] } } },
    ],
    [
      /^hooks\.replay\.trace\.tokens\.1\.ids\.1\.0 is 4; wanted an expert of 0 to 3/,
      { replay: { trace: { tokens: [{ ids: [[0], [1]] }, { ids: [[0], [4]] }] } } },
    ],
    [
      /^hooks\.replay\.trace\.tokens\.0\.ids\.0\.1 is 3; wanted each expert once/,
      { replay: { trace: { tokens: [{ ids: [[3, 3], []] }] } } },
    ],
    [
      /^hooks\.replay\.trace\.tokens\.0\.ids\.0 is a list of 3; wanted at most 2/,
      { replay: { trace: { tokens: [{ ids: [[0, 1, 2], []] }] } } },
    ],
    [
      /^hooks\.replay\.trace\.tokens\.0\.ids\.1\.0 is 2; wanted an expert that the mask of the layer allows/,
      { layers: [null, { mask: [2] }], replay: { trace } },
    ],
    [
      /^hooks\.replay\.trace\.tokens\.0\.weights\.1 is \[\]; wanted 1 numbers, one for each id/,
      { replay: { weights: 'recorded', trace: { tokens: [{ ids: [[0], [1]], weights: [[1], []] }] } } },
    ],
    [
      /^hooks\.replay\.weights is "own"; wanted "recompute", "recorded"/,
      { replay: { weights: 'own', trace } },
    ],
  ])('%s', (message, hooks) => {
    expect(() => readHooks(hooks, modelOf())).toThrow(AtomoeError);
    expect(() => readHooks(hooks, modelOf())).toThrow(message);
  });

  test('a router without logits of single experts is named', () => {
    const score = { kind: 'product', rows: 'r', columns: 'c' } as RouterSpec['score'];
    const mixed = modelOf(moe({ score }), product as unknown as Router);
    const message = /^hooks: the router of layer 1 is "product", whose choice hooks cannot change/;
    expect(() => readHooks({ all: { mask: [1] } }, mixed)).toThrow(message);
    expect(() => readHooks({ replay: { trace } }, mixed)).toThrow(message);
    expect(readHooks({ layers: [null, { mask: [1] }] }, mixed).editedBanks).toEqual(new Set([1]));
  });

  test('what traces do not have cannot be replayed', () => {
    const replay = { trace, weights: 'recorded' };
    expect(() => readHooks({ replay }, modelOf(moe(), undefined, 0.1))).toThrow(
      /^hooks\.replay .* lossy\.skipBelow/,
    );
    const inputs = modelOf(moe({ weigh: { on: 'input' } }));
    expect(() => readHooks({ replay }, inputs)).toThrow(
      /^hooks\.replay\.weights .* layer 1 weights the inputs/,
    );
    expect(() => readHooks({ replay: { trace } }, inputs)).not.toThrow();
  });
});

test('layers have their own hooks, or those of all; only edits need a dispatch', () => {
  const hooks = { all: { bias: [1, 2, 3, 4] }, layers: [null, { ranks: [1] }] };
  const { editedBanks, layers, replay } = readHooks(hooks, modelOf());
  expect(editedBanks).toEqual(new Set([0]));
  expect([...(layers[0]?.edits.slice(0, 4) ?? [])]).toEqual([1, 2, 3, 4]);
  expect([...(layers[1]?.edits ?? [])].some(Boolean)).toBe(false);
  expect([...(layers[1]?.choice ?? [])]).toEqual([2, 0, 0, 2, 0, 2, 2]); // rank 1 has slot 0
  expect(replay).toBeUndefined();
});

test('a trace is replayed by position', () => {
  const from = 3;
  const { replay } = readHooks({ replay: { trace: { from, ...trace }, weights: 'recorded' } }, modelOf());
  const words = replay?.(1, 2, 3) ?? new Uint32Array();
  expect([...words].filter((_, at) => at % 4 < 2)).toEqual([
    0xffffffff, 0xffffffff, 2, 4, 0xffffffff, 0xffffffff,
  ]);
  expect(new Float32Array(words.buffer)[6]).toBe(1);
});

describe('hooks of a pruned model have the numbers of the original', () => {
  const numbers = {
    count: 8,
    ids: [
      [1, 3, 4, 6],
      [0, 2, 5, 7],
    ],
  };
  const pruned: HookedModel = { ...modelOf(), numbers };

  test('in a mask, a bias, steering and a replay', () => {
    const bias = [10, 11, 12, 13, 14, 15, 16, 17];
    const routes = { ids: [[6, 1], [7]], weights: [[0.5, 0.5], [1]] };
    const own = { ids: [[3, 0], [3]], weights: routes.weights };
    const [edits, expected] = [pruned, modelOf()].map((model, at) => {
      const layers =
        at === 0 ? [{ bias }, { mask: [1, 2, 7] }] : [{ bias: [11, 13, 14, 16] }, { mask: [1, 3] }];
      return readHooks({ layers }, model).layers.map((layer) => [...(layer?.edits ?? [])]);
    });
    expect(edits).toEqual(expected);
    const steer = (experts: number[]) => ({ all: { steer: { experts, mode: 'hard' } } });
    expect(
      readHooks(steer([3]), {
        ...pruned,
        numbers: {
          count: 8,
          ids: [
            [1, 3, 4, 6],
            [1, 3, 4, 6],
          ],
        },
      }),
    ).toEqual(readHooks(steer([1]), modelOf()));
    const words = [
      readHooks({ replay: { trace: { tokens: [routes] }, weights: 'recorded' } }, pruned),
      readHooks({ replay: { trace: { tokens: [own] }, weights: 'recorded' } }, modelOf()),
    ].map(({ replay }) => [0, 1].map((bank) => [...(replay?.(bank, 0, 1) ?? [])]));
    expect(words[0]).toEqual(words[1]);
  });

  test.each<readonly [RegExp, unknown]>([
    [
      /^hooks\.all\.bias is a list of 4; wanted 8 numbers, one for each expert of the original/,
      { all: { bias: [1, 2, 3, 4] } },
    ],
    [/^hooks\.layers\.0\.mask\.1 is 8; wanted an expert of 0 to 7/, { layers: [{ mask: [0, 8] }, null] }],
    [
      /^hooks\.layers\.1\.steer\.experts\.0 is 3; wanted an expert that the pruned model has/,
      { layers: [null, { steer: { experts: [3], strength: 1 } }] },
    ],
    [
      /^hooks\.replay\.trace\.tokens\.0\.ids\.0\.1 is 2; wanted an expert that the pruned model has/,
      { replay: { trace: { tokens: [{ ids: [[1, 2], []] }] } } },
    ],
  ])('%s', (message, hooks) => {
    expect(() => readHooks(hooks, pruned)).toThrow(message);
  });
});
