/** Which described layers are special cases of others, or of plain loops, on the reference. */
import { describe, expect, test } from 'vitest';
import { buildDescribed } from '../../blocks/described/layer.ts';
import { LayerTensors, type HostTensor } from '../../blocks/described/tensors.ts';
import type { HostArray } from '../../graph/node.ts';
import { randomNormal } from '../../kernels/testing.ts';
import { parseLayer } from '../../models/layer/layer.ts';
import { runDescribedOnCpu } from './described-runner.ts';

const [TOKENS, WIDTH, EXPERTS] = [24, 8, 16];

type Tensors = Readonly<Record<string, HostTensor>>;

let seed = 0;
function random(...shape: number[]): HostTensor {
  seed += 1;
  return {
    shape,
    values: randomNormal(
      shape.reduce((size, axis) => size * axis, 1),
      seed,
      0.7,
    ),
  };
}

const filled = (value: number, ...shape: number[]): HostTensor => ({
  shape,
  values: new Float32Array(shape.reduce((size, axis) => size * axis, 1)).fill(value),
});

const common: Tensors = {
  x: random(TOKENS, WIDTH),
  weight: random(EXPERTS, WIDTH),
  gate: random(EXPERTS, 6, WIDTH),
  up: random(EXPERTS, 6, WIDTH),
  down: random(EXPERTS, WIDTH, 6),
};

const linear = { kind: 'linear', weight: 'weight' };
const softmax = [{ kind: 'softmax' }];
const gated = { kind: 'gated', gate: 'gate', up: 'up', down: 'down' };
const routed = (score: object, more: object = {}) => ({
  router: { score, transform: softmax, select: { kind: 'topK', k: 4 }, ...more },
});

/** Runs a layer of 16 experts on the first `tokens` rows of x; `y`, `ids`, `weights` and `scores` of its first router. */
async function run(layer: object, tensors: Tensors = {}) {
  const all = { ...common, ...tensors };
  const tokens = all['x']?.shape[0] ?? 0;
  const description = parseLayer({
    ...{ format: 'atomoe.layer', version: 1, hiddenSize: WIDTH, experts: EXPERTS },
    ...layer,
  });
  const offsets = tensors['sequenceOffsets']?.values.length ?? 1;
  const widths = new Map(Object.entries(all).map(([name, { shape }]) => [name, shape.at(-1) ?? 1]));
  const named = new LayerTensors('the test', new Map(Object.entries(all)));
  const built = buildDescribed(description, named, { tokens, sequences: offsets - 1, widths });
  const given = (name: string, type: string): HostArray => {
    const { values } = all[name]!;
    return type === 'u32' ? Uint32Array.from(values) : values;
  };
  const inputs = new Map([
    [built.x, all['x']!.values as HostArray],
    ...built.inputs.map(({ name, tensor }) => [tensor, given(name, tensor.type)] as const),
  ]);
  const { y, ...outputs } = await runDescribedOnCpu(built, inputs, tokens);
  const [ids, weights, scores] = ['ids.0', 'weights.0', 'scores.0'].map((name) => outputs[name]!);
  return { y: y!, ids: ids!, weights: weights!, scores: scores! };
}

const rowOf = (values: ArrayLike<number>, row: number, width: number) =>
  Array.from({ length: width }, (_, at) => values[row * width + at]!);

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, at) => sum + value * b[at]!, 0);

const sorted = (values: readonly number[]) =>
  [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b);

function expectNear(got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance = 2e-6): void {
  expect(got.length).toBe(wanted.length);
  expect(Math.max(...Array.from(got, (value, at) => Math.abs(value - wanted[at]!)))).toBeLessThan(tolerance);
}

describe('scores', () => {
  test('a hypernetwork gives what the weights give that it makes', async () => {
    const tensors = { embedding: random(5), maker: random(EXPERTS * (WIDTH + 1), 5) };
    const rows = Array.from({ length: EXPERTS * (WIDTH + 1) }, (_, row) =>
      dot(rowOf(tensors.maker.values, row, 5), [...tensors.embedding.values]),
    );
    const isBias = (at: number) => at % (WIDTH + 1) === WIDTH;
    const made = {
      weight: { shape: [EXPERTS, WIDTH], values: Float32Array.from(rows.filter((_, at) => !isBias(at))) },
      bias: { shape: [EXPERTS], values: Float32Array.from(rows.filter((_, at) => isBias(at))) },
    };
    const score = { kind: 'hypernetwork', embedding: 'embedding', layers: [{ weight: 'maker' }] };
    const got = await run(routed(score), tensors);
    const wanted = await run(routed({ ...linear, bias: 'bias' }), made);
    expect(got.ids).toEqual(wanted.ids);
    expectNear(got.scores, wanted.scores, 1e-5);
  });

  test.each<[string, object, Tensors]>([
    [
      'a mixture of one router',
      { kind: 'mixture', main: 'main', routers: 'routers' },
      { main: random(1, WIDTH), routers: { ...common['weight']!, shape: [1, EXPERTS, WIDTH] } },
    ],
    ['a perceptron of one layer', { kind: 'perceptron', layers: [{ weight: 'weight' }] }, {}],
    ['a sum of one term', { kind: 'sum', terms: [{ score: linear }] }, {}],
    [
      'one query that is the hidden state',
      { kind: 'multiQuery', queries: 'identity', keys: 'weight', scale: 1 },
      {
        identity: {
          shape: [1, WIDTH, WIDTH],
          values: Float32Array.from({ length: WIDTH * WIDTH }, (_, at) => Number(at % (WIDTH + 1) === 0)),
        },
      },
    ],
  ])('%s is linear', async (_name, score, tensors) => {
    const got = await run(routed(score), tensors);
    const wanted = await run(routed(linear));
    expect(got.ids).toEqual(wanted.ids);
    expectNear(got.scores, wanted.scores);
  });

  test('attention over equal values scores all experts equally', async () => {
    const value = { shape: [EXPERTS, WIDTH], values: new Float32Array(EXPERTS * WIDTH) };
    const row = random(WIDTH).values;
    for (let e = 0; e < EXPERTS; e += 1) value.values.set(row, e * WIDTH);
    const tensors = { query: random(EXPERTS, WIDTH), key: random(EXPERTS, WIDTH), value };
    const score = { kind: 'attention', query: 'query', key: 'key', value: 'value' };
    const { scores } = await run(routed(score), tensors);
    for (let t = 0; t < TOKENS; t += 1) {
      const wanted = dot([...row], rowOf(common['x']!.values, t, WIDTH));
      expectNear(rowOf(scores, t, EXPERTS), Array<number>(EXPERTS).fill(wanted), 5e-6);
    }
  });

  test('self-activation ranks experts by the lengths of their products', async () => {
    const down = random(EXPERTS, 3, WIDTH);
    const { ids } = await run(routed({ kind: 'selfActivation', down: 'own' }), { own: down });
    for (let t = 0; t < TOKENS; t += 1) {
      const x = rowOf(common['x']!.values, t, WIDTH);
      const lengths = Array.from({ length: EXPERTS }, (_, e) =>
        Math.hypot(...[0, 1, 2].map((r) => dot(rowOf(down.values, 3 * e + r, WIDTH), x))),
      );
      expect(rowOf(ids, t, 4)).toEqual(sorted(lengths).slice(0, 4));
    }
  });

  test('a codebook chooses the nearest code, modulo the experts', async () => {
    const codes = random(40, WIDTH);
    const router = { transform: [], select: { kind: 'topK', k: 1 }, weigh: { from: 'one' } };
    const { ids } = await run(routed({ kind: 'codebook', codes: 'codes' }, router), { codes });
    for (let t = 0; t < TOKENS; t += 1) {
      const x = rowOf(common['x']!.values, t, WIDTH);
      const near = Array.from(
        { length: 40 },
        (_, c) => -Math.hypot(...rowOf(codes.values, c, WIDTH).map((value, at) => value - x[at]!)),
      );
      expect(ids[t]).toBe(sorted(near)[0]! % EXPERTS);
    }
  });

  test('products of rows and columns choose as a search over all pairs', async () => {
    const tensors = { rows: random(16, WIDTH), columns: random(16, WIDTH) };
    const layer = {
      experts: 256,
      ...routed(
        { kind: 'product', rows: 'rows', columns: 'columns' },
        { transform: [], select: { kind: 'topK', k: 8 }, weigh: { from: 'exp' } },
      ),
    };
    const { ids, weights } = await run(layer, tensors);
    const shares = (matrix: HostTensor, x: number[]) => {
      const exps = Array.from({ length: 16 }, (_, row) => Math.exp(dot(rowOf(matrix.values, row, WIDTH), x)));
      const sum = exps.reduce((total, each) => total + each, 0);
      return exps.map((each) => each / sum);
    };
    for (let t = 0; t < TOKENS; t += 1) {
      const x = rowOf(common['x']!.values, t, WIDTH);
      const [rows, columns] = [shares(tensors.rows, x), shares(tensors.columns, x)];
      const all = rows.flatMap((r) => columns.map((c) => r * c));
      const wanted = sorted(all).slice(0, 8);
      expect(rowOf(ids, t, 8)).toEqual(wanted);
      expectNear(
        rowOf(weights, t, 8),
        wanted.map((e) => all[e]!),
      );
    }
  });

  test('two levels with one group are one level', async () => {
    const score = { kind: 'twoLevel', group: 'group', member: 'weight' };
    const got = await run(routed(score, { transform: [] }), { group: random(1, WIDTH) });
    const wanted = await run(routed(linear));
    expect(got.ids).toEqual(wanted.ids);
    expectNear(got.weights, wanted.weights);
  });
});

describe('who decides', () => {
  const random1 = routed({ kind: 'random', seed: 7 }, { transform: [], weigh: { from: 'one' } });

  test('random routing has the ids of its seed, by the position in the sequence', async () => {
    const offsets = { sequenceOffsets: { shape: [3], values: Float32Array.from([0, 12, 24]) } };
    const { ids } = await run(random1, offsets);
    expect(ids.slice(48)).toEqual(ids.slice(0, 48));
    expect((await run(random1)).ids.slice(0, 48)).toEqual(ids.slice(0, 48));
    const other = routed({ kind: 'random', seed: 8 }, { transform: [], weigh: { from: 'one' } });
    expect((await run(other)).ids).not.toEqual((await run(random1)).ids);
  });

  test('a segment has one decision, also the shorter last one', async () => {
    const scope = { unit: 'segment', segmentLength: 5, sees: 'sequence' };
    const got = await run(routed(linear, { scope }));
    const means = Array.from({ length: 5 }, (_, segment) => {
      const [first, end] = [5 * segment, Math.min(5 * segment + 5, TOKENS)];
      return Array.from({ length: WIDTH }, (_unused, c) => {
        let sum = 0;
        for (let t = first; t < end; t += 1) sum += common['x']!.values[t * WIDTH + c]!;
        return sum / (end - first);
      });
    });
    const x = { shape: [5, WIDTH], values: Float32Array.from(means.flat()) };
    const wanted = await run(routed(linear), { x });
    for (let t = 0; t < TOKENS; t += 1) {
      expect(rowOf(got.ids, t, 4)).toEqual(rowOf(wanted.ids, Math.floor(t / 5), 4));
    }
  });

  test('ids of a table are those of its rows', async () => {
    const table = { shape: [6, 2], values: Float32Array.from([3, 1, 0, 15, 2, 9, 7, 8, 4, 5, 11, 10]) };
    const tokenIds = {
      shape: [TOKENS],
      values: Float32Array.from({ length: TOKENS }, (_, t) => (5 * t) % 6),
    };
    const select = { kind: 'ids', tensor: 'table', by: 'tokenIds' };
    const layer = { most: 2, ...routed({ kind: 'zero' }, { transform: [], select, weigh: { from: 'one' } }) };
    const { ids } = await run(layer, { table, tokenIds });
    for (let t = 0; t < TOKENS; t += 1) {
      expect(rowOf(ids, t, 2)).toEqual(rowOf(table.values, tokenIds.values[t]!, 2));
    }
  });

  test('a router with a state gives chunks of a prompt the bits of the whole', async () => {
    const R = 4;
    const tensors = {
      project: random(R, WIDTH),
      inputWeights: random(3 * R, R),
      hiddenWeights: random(3 * R, R),
      inputBias: random(3 * R),
      hiddenBias: random(3 * R),
      own: random(EXPERTS, R),
    };
    const { own: _, ...names } = tensors;
    const state = {
      ...{ kind: 'gru', name: 'routerState', size: R },
      ...Object.fromEntries(Object.keys(names).map((name) => [name, name])),
    };
    const layer = { ...routed({ kind: 'linear', weight: 'own' }, { state }), expert: gated };
    const whole = await run(layer, tensors);
    const part = async (first: number, end: number) => {
      const values = common['x']!.values.slice(first * WIDTH, end * WIDTH);
      return run(layer, { ...tensors, x: { shape: [end - first, WIDTH], values } });
    };
    const parts = [await part(0, 7), await part(7, 23), await part(23, TOKENS)];
    for (const name of ['ids', 'weights', 'y'] as const) {
      expect(parts.flatMap((each) => [...each[name]])).toEqual([...whole[name]]);
    }
  });
});

test.each([
  ['router.capacity.over', { capacity: { factor: 1, over: 'batch' } }],
  ['router.select.over', { select: { kind: 'expertChoice', factor: 1, over: 'batch' } }],
])('%s "batch" is refused for more than one sequence, and for one is "sequence"', async (path, more) => {
  const offsets = { sequenceOffsets: { shape: [3], values: Float32Array.from([0, 12, TOKENS]) } };
  const layer = routed(linear, { ...more, scope: { sees: 'batch' } });
  await expect(run(layer, offsets)).rejects.toThrow(`${path} is "batch"`);
  const own = JSON.parse(JSON.stringify(layer).replaceAll('batch', 'sequence')) as object;
  expect((await run(layer)).ids).toEqual((await run(own)).ids);
});

test.each<[string, object[], object[]]>([
  ['alone', [], []],
  ['behind a filter', [{ kind: 'belowRatio', ratio: 0.7 }], []],
  ['before a filter', [], [{ kind: 'belowRatio', ratio: 0.7 }]],
])('a network that drops nothing changes nothing, %s, with hooks', async (_name, before, after) => {
  const keep = { kind: 'mask', layers: [{ weight: 'none', bias: 'ones' }] };
  const tensors = { none: filled(0, 4, WIDTH + 4), ones: filled(1, 4), added: random(EXPERTS) };
  const layer = (drop: object[]) => ({
    ...routed(linear, { select: { kind: 'topK', k: 4, drop } }),
    ...{ expert: gated, hooks: { bias: 'added', mask: [3] } },
  });
  const got = await run(layer([...before, keep, ...after]), tensors);
  const wanted = await run(layer([...before, ...after]), tensors);
  expect(got.ids).toEqual(wanted.ids);
  expect(got.weights).toEqual(wanted.weights);
  expect(got.y).toEqual(wanted.y);
});

describe('mixing', () => {
  /** A gate that gives all its weight to expert 5. */
  const oneHot = routed({ kind: 'linear', weight: 'none', bias: 'peak' }, { select: { kind: 'all' } });
  const peak = filled(0, EXPERTS);
  peak.values[5] = 500;
  const tensors = { none: filled(0, EXPERTS, WIDTH), peak };
  const top = routed({ kind: 'linear', weight: 'none', bias: 'peak' }, { select: { kind: 'topK', k: 1 } });

  test('a dense gate of one expert is top 1', async () => {
    expectNear(
      (await run({ ...oneHot, expert: gated }, tensors)).y,
      (await run({ ...top, expert: gated }, tensors)).y,
      1e-7,
    );
  });

  test('merging one expert gives its very output', async () => {
    const merged = await run({ ...oneHot, expert: gated, pattern: { kind: 'mergeWeights' } }, tensors);
    expectNear(merged.y, (await run({ ...top, expert: gated }, tensors)).y, 1e-6);
  });

  test('merged linear experts give the sum of their weighted outputs', async () => {
    const expert = { kind: 'linear', weight: 'square' };
    const all = routed(linear, { select: { kind: 'all' } });
    const square = { square: random(EXPERTS, WIDTH, WIDTH) };
    const merged = await run({ ...all, expert, pattern: { kind: 'mergeWeights' } }, square);
    expectNear(merged.y, (await run({ ...all, expert }, square)).y, 1e-5);
  });

  test('one slot of one expert mixes all tokens, and gives every token the same', async () => {
    const square = random(1, WIDTH, WIDTH);
    const slots = random(1, WIDTH);
    const layer = {
      ...{ experts: 1, expert: { kind: 'linear', weight: 'square' } },
      pattern: { kind: 'softMix', slots: 'slots', perExpert: 1, sees: 'sequence' },
    };
    const x = common['x']!.values;
    const exps = Array.from({ length: TOKENS }, (_, t) =>
      Math.exp(dot(rowOf(x, t, WIDTH), [...slots.values])),
    );
    const sum = exps.reduce((total, each) => total + each, 0);
    const mean = Array.from({ length: WIDTH }, (_, c) =>
      exps.reduce((total, each, t) => total + (each / sum) * x[t * WIDTH + c]!, 0),
    );
    const wanted = Array.from({ length: WIDTH }, (_, row) => dot(rowOf(square.values, row, WIDTH), mean));
    const y = await softMixed(layer, { square, slots });
    for (let t = 0; t < TOKENS; t += 1) expectNear(rowOf(y, t, WIDTH), wanted, 1e-5);
  });

  async function softMixed(layer: object, more: Tensors): Promise<HostArray> {
    return (await run(layer, more)).y;
  }
});

describe('patterns', () => {
  const layer = { ...routed(linear), expert: gated };

  test('a chain of one run is the layer and its residual', async () => {
    const chain = await run({ ...layer, pattern: { kind: 'chain', iterations: 1 } });
    const { y } = await run(layer);
    expect([...chain.y]).toEqual(Array.from(y, (value, at) => Math.fround(value + common['x']!.values[at]!)));
  });

  test('a chain of three runs is three layers after each other', async () => {
    const chain = await run({ ...layer, pattern: { kind: 'chain', iterations: 3 } });
    const one = { layer: { experts: EXPERTS, ...layer } };
    const sequence = await run({ experts: undefined, pattern: { kind: 'sequence', steps: [one, one, one] } });
    expect(chain.y).toEqual(sequence.y);
  });

  test('a second layer of zeros changes nothing', async () => {
    const one = { layer: { experts: EXPERTS, ...layer } };
    const none = { layer: { experts: EXPERTS, ...layer, expert: { ...gated, down: 'nothing' } } };
    const steps = (list: object[]) => ({ experts: undefined, pattern: { kind: 'sequence', steps: list } });
    const both = await run(steps([one, none]), { nothing: filled(0, EXPERTS, WIDTH, 6) });
    expect(both.y).toEqual((await run(steps([one]))).y);
  });

  test('two equal layers side by side give twice the output', async () => {
    const one = { experts: EXPERTS, ...layer };
    const both = await run({ experts: undefined, pattern: { kind: 'parallel', layers: [one, one] } });
    expect([...both.y]).toEqual(Array.from((await run(layer)).y, (value) => 2 * value));
  });
});
