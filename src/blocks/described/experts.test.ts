/** Kinds of experts against the dense experts that they are short for, on the reference. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../graph/builder.ts';
import { expectClose } from '../../kernels/testing.ts';
import { LayerNodes } from './nodes.ts';
import { LayerTensors } from './tensors.ts';
import {
  filled,
  HIDDEN,
  product,
  random,
  run,
  TOKENS,
  weightBytes,
  X,
  type Keys,
  type Named,
} from './layer.testing.ts';

const EXPERTS = 6;
const WIDTH = 4;

const topK = (k: number): Keys => ({
  score: { kind: 'linear', weight: 'router' },
  transform: [{ kind: 'softmax' }],
  select: { kind: 'topK', k },
});

const router: Named = { router: random(2, EXPERTS, HIDDEN) };

const gated: Named = {
  ...router,
  gate: random(3, EXPERTS, WIDTH, HIDDEN),
  up: random(4, EXPERTS, WIDTH, HIDDEN),
  down: random(5, EXPERTS, HIDDEN, WIDTH),
};
const gatedExpert = { kind: 'gated', gate: 'gate', up: 'up', down: 'down' };

const layer = (expert: Keys, k = 2, more: Keys = {}): Keys => ({
  experts: EXPERTS,
  router: topK(k),
  expert,
  ...more,
});

/** Sums of the same products in another order. */
const CLOSE = { absolute: 1e-6, relative: 1e-5 };

/** The matrix of expert e of a stack. */
const slice = ({ shape, values }: Named[string], e: number) => {
  const size = values.length / shape[0]!;
  return { shape: shape.slice(1), values: values.slice(e * size, (e + 1) * size) };
};

/** M x of a row. */
const times = (matrix: Named[string], x: ArrayLike<number>) => {
  const [rows = 0, cols = 0] = matrix.shape.slice(-2);
  return Array.from({ length: rows }, (_, r) => {
    let sum = 0;
    for (let c = 0; c < cols; c += 1) sum += matrix.values[r * cols + c]! * x[c]!;
    return sum;
  });
};

const row = (t: number) => X.values.subarray(t * HIDDEN, (t + 1) * HIDDEN);

/** The sum of w_i E_i(x) by routes of a run, in plain loops. */
function mixed(
  { ids, weights }: { readonly ids: ArrayLike<number>; readonly weights: ArrayLike<number> },
  expertOf: (e: number, x: ArrayLike<number>, t: number) => readonly number[],
): number[] {
  const places = ids.length / TOKENS;
  return Array.from({ length: TOKENS }, (_, t) => t).flatMap((t) => {
    const y = Array<number>(HIDDEN).fill(0);
    for (let r = 0; r < places; r += 1) {
      const e = ids[t * places + r]!;
      if (e >= EXPERTS) continue;
      expertOf(e, row(t), t).forEach((value, i) => (y[i]! += weights[t * places + r]! * value));
    }
    return y;
  });
}

const routesOf = (outputs: ReturnType<typeof run>) => ({
  ids: outputs['ids.0']!,
  weights: outputs['weights.0']!,
});

describe('low-rank experts', () => {
  const lora: Named = {
    ...router,
    a: random(6, EXPERTS, 3, HIDDEN),
    b: random(7, EXPERTS, HIDDEN, 3),
    scaling: random(8, EXPERTS),
    base: random(9, HIDDEN, HIDDEN),
  };
  const expert = { kind: 'lora', a: 'a', b: 'b', scaling: 'scaling', base: { weight: 'base' } };

  test('equal one matrix per token: the base with the chosen products added', () => {
    const outputs = run(layer(expert), lora);
    const dense = product(lora['b']!, lora['a']!);
    const wanted = mixed(routesOf(outputs), (e, x) =>
      times(slice(dense, e), x).map((value) => value * lora['scaling']!.values[e]!),
    );
    const base = Array.from({ length: TOKENS }, (_, t) => times(lora['base']!, row(t))).flat();
    expectClose(
      outputs['y']!,
      wanted.map((value, at) => value + base[at]!),
      CLOSE,
    );
  });

  test('whose ranks differ equal those filled with zeros', () => {
    const ranks = [1, 2, 3, 1, 2, 3];
    const named = Object.fromEntries(
      ranks.flatMap((rank, e) => [
        [`a.${e}`, random(20 + e, rank, HIDDEN)],
        [`b.${e}`, random(30 + e, HIDDEN, rank)],
      ]),
    );
    const wide: Named = {
      a: filled([EXPERTS, 3, HIDDEN], (at) => {
        const [e, rest] = [Math.floor(at / (3 * HIDDEN)), at % (3 * HIDDEN)];
        return named[`a.${e}`]!.values[rest] ?? 0;
      }),
      b: filled([EXPERTS, HIDDEN, 3], (at) => {
        const [e, r, k] = [Math.floor(at / (3 * HIDDEN)), Math.floor(at / 3) % HIDDEN, at % 3];
        return k < ranks[e]! ? named[`b.${e}`]!.values[r * ranks[e]! + k]! : 0;
      }),
    };
    const got = run(layer({ kind: 'lora', a: 'a.{expert}', b: 'b.{expert}' }), { ...router, ...named });
    const wanted = run(layer({ kind: 'lora', a: 'a', b: 'b' }), { ...router, ...wide });
    expect(got['y']).toEqual(wanted['y']);
  });

  test('leave tokens without the flag to the base', () => {
    const flag = filled([TOKENS], (t) => t % 2);
    const outputs = run(layer({ ...expert, onlyWhere: 'flag' }), { ...lora, flag });
    const whole = run(layer(expert), lora);
    for (let t = 0; t < TOKENS; t += 1) {
      const own = (y: ArrayLike<number>) => Array.from(y).slice(t * HIDDEN, (t + 1) * HIDDEN);
      if (t % 2 === 1) expect(own(outputs['y']!)).toEqual(own(whole['y']!));
      else expectClose(own(outputs['y']!), times(lora['base']!, row(t)), CLOSE);
    }
  });

  test('of shards equal those of the joined matrices, in the same bits', () => {
    const named: Named = {
      ...router,
      ...{ poolA: random(40, 10, 2, HIDDEN), poolB: random(41, 10, HIDDEN, 2) },
      indexA: filled([EXPERTS, 2], (at) => (3 * at) % 10),
      indexB: filled([EXPERTS, 2], (at) => (7 * at + 1) % 10),
    };
    const joined: Named = {
      a: filled([EXPERTS, 4, HIDDEN], (at) => {
        const [e, r, c] = [Math.floor(at / (4 * HIDDEN)), Math.floor(at / HIDDEN) % 4, at % HIDDEN];
        const shard = named['indexA']!.values[2 * e + Math.floor(r / 2)]!;
        return named['poolA']!.values[(shard * 2 + (r % 2)) * HIDDEN + c]!;
      }),
      b: filled([EXPERTS, HIDDEN, 4], (at) => {
        const [e, r, c] = [Math.floor(at / (4 * HIDDEN)), Math.floor(at / 4) % HIDDEN, at % 4];
        const shard = named['indexB']!.values[2 * e + Math.floor(c / 2)]!;
        return named['poolB']!.values[(shard * HIDDEN + r) * 2 + (c % 2)]!;
      }),
    };
    const a = { gather: 'poolA', index: 'indexA', join: true };
    const b = { gather: 'poolB', index: 'indexB', join: true, axis: 1 };
    const got = run(layer({ kind: 'lora', a, b }), named);
    expect(got['y']).toEqual(run(layer({ kind: 'lora', a: 'a', b: 'b' }), { ...router, ...joined })['y']);
  });
});

test('latent experts equal gated ones of the multiplied matrices', () => {
  const named: Named = {
    ...router,
    ...{ gateIn: random(10, 5, HIDDEN), upIn: random(11, 5, HIDDEN), out: random(12, HIDDEN, 3) },
    gate: random(13, EXPERTS, WIDTH, 5),
    up: random(14, EXPERTS, WIDTH, 5),
    down: random(15, EXPERTS, 3, WIDTH),
  };
  const names = ['gateIn', 'upIn', 'gate', 'up', 'down', 'out'];
  const latent = { kind: 'latent', ...Object.fromEntries(names.map((name) => [name, name])) };
  const dense: Named = {
    ...router,
    gate: product(named['gate']!, named['gateIn']!),
    up: product(named['up']!, named['upIn']!),
    down: product(named['out']!, named['down']!),
  };
  expectClose(run(layer(latent), named)['y']!, run(layer(gatedExpert), dense)['y']!, CLOSE);
});

test('index sets over one backbone equal the slices of its matrices, in the same bits', () => {
  const named: Named = {
    ...router,
    ...{ rows: random(16, 20, HIDDEN), columns: random(17, 20, HIDDEN) },
    index: filled([EXPERTS, WIDTH], (at) => (3 * at) % 20),
  };
  const take = (pool: string) => (e: number, r: number, c: number) =>
    named[pool]!.values[named['index']!.values[e * WIDTH + r]! * HIDDEN + c]!;
  const [rows, columns] = [take('rows'), take('columns')];
  const sliced: Named = {
    ...router,
    up: filled([EXPERTS, WIDTH, HIDDEN], (at) =>
      rows(Math.floor(at / (WIDTH * HIDDEN)), Math.floor(at / HIDDEN) % WIDTH, at % HIDDEN),
    ),
    down: filled([EXPERTS, HIDDEN, WIDTH], (at) =>
      columns(Math.floor(at / (WIDTH * HIDDEN)), at % WIDTH, Math.floor(at / WIDTH) % HIDDEN),
    ),
  };
  const up = { gather: 'rows', index: 'index' };
  const down = { gather: 'columns', index: 'index', transpose: true };
  const got = run(layer({ kind: 'plain', up, down }), named);
  expect(got['y']).toEqual(run(layer({ kind: 'plain', up: 'up', down: 'down' }), sliced)['y']);
});

test('a list of one bank is the bank', () => {
  const banks = { kind: 'gated', gate: ['gate'], up: ['up'], down: ['down'] };
  expect(run(layer(banks), gated)['y']).toEqual(run(layer(gatedExpert), gated)['y']);
});

test('compressed experts whose vectors are 1 equal the main experts alone', () => {
  const theta = filled([EXPERTS, HIDDEN], () => 1);
  const compressed = { kind: 'compressed', main: 2, theta: 'theta', of: gatedExpert };
  const got = run(layer(compressed, 4), { ...gated, theta });
  expectClose(got['y']!, run(layer(gatedExpert, 2), gated)['y']!, CLOSE);
  expect(run(layer(compressed, 4), { ...gated, theta: random(18, EXPERTS, HIDDEN) })['y']).not.toEqual(
    got['y'],
  );
});

test('feature-wise modulation equals plain experts with modulated matrices', () => {
  // gamma > 0 goes through relu: down (gamma * relu(up x)) = down relu(gamma * up x)
  const named: Named = {
    ...router,
    ...{ up: random(50, WIDTH, HIDDEN), down: random(51, HIDDEN, WIDTH) },
    gamma: filled([EXPERTS, WIDTH], (at) => 0.5 + (at % 5)),
    beta: filled([EXPERTS, WIDTH], () => 0),
  };
  const film = { kind: 'film', up: 'up', down: 'down', gamma: 'gamma', beta: 'beta' };
  const dense: Named = {
    ...router,
    up: filled([EXPERTS, WIDTH, HIDDEN], (at) => {
      const unit = Math.floor(at / HIDDEN);
      return named['gamma']!.values[unit]! * named['up']!.values[at % (WIDTH * HIDDEN)]!;
    }),
    down: filled([EXPERTS, HIDDEN, WIDTH], (at) => named['down']!.values[at % (WIDTH * HIDDEN)]!),
  };
  const plain = { kind: 'plain', up: 'up', down: 'down', activation: 'relu' };
  expectClose(run(layer(film), named)['y']!, run(layer(plain), dense)['y']!, CLOSE);
});

test('experts that skip, keep or replace the token', () => {
  const each = [
    { kind: 'skip' },
    { kind: 'identity' },
    { kind: 'constant', value: 'value' },
    { kind: 'skip' },
    { kind: 'linear', weight: 'matrix' },
    { kind: 'identity' },
  ];
  const named: Named = { ...router, value: random(52, HIDDEN), matrix: random(53, 1, HIDDEN, HIDDEN) };
  const outputs = run(layer({ kind: 'each', experts: each }, 4), named);
  const wanted = mixed(routesOf(outputs), (e, x) => {
    if (e === 1 || e === 5) return [...Array.from(x)];
    if (e === 2) return [...named['value']!.values];
    return e === 4 ? times(named['matrix']!, x) : Array<number>(HIDDEN).fill(0);
  });
  expectClose(outputs['y']!, wanted, CLOSE);
});

describe('aliases', () => {
  const alias = [0, 1, 0, 3, 1, 3];

  test('equal experts that are stored once each', () => {
    const copied = (name: string) => {
      const { shape, values } = gated[name]!;
      const size = values.length / EXPERTS;
      return filled(shape, (at) => values[alias[Math.floor(at / size)]! * size + (at % size)]!);
    };
    const copies = { ...router, gate: copied('gate'), up: copied('up'), down: copied('down') };
    const first = (name: string) =>
      filled([4, ...gated[name]!.shape.slice(1)], (at) => gated[name]!.values[at]!);
    const stored = { ...router, gate: first('gate'), up: first('up'), down: first('down') };
    const got = run(layer({ ...gatedExpert, alias }, 4), stored);
    expect(got['y']).toEqual(run(layer(gatedExpert, 4), copies)['y']);
  });

  test('share the scales of their outputs', () => {
    const scale = random(59, 4);
    const all = { ...gated, scale, whole: filled([EXPERTS], (e) => scale.values[alias[e]!]!) };
    const got = run(layer({ ...gatedExpert, alias, scale: 'scale' }, 4), all)['y']!;
    const unscaled = run(layer({ ...gatedExpert, alias }, 4), all);
    const stored = { router: { ...topK(4), weigh: { expertScale: 'whole' } } };
    expectClose(got, run(layer({ ...gatedExpert, alias }, 4, stored), all)['y']!, CLOSE);
    expect(got).not.toEqual(unscaled['y']);
    expect(() => run(layer({ ...gatedExpert, scale: 'scale' }), all)).toThrow(
      /scales .* 4 numbers, wanted .* 6/,
    );
  });

  test('chosen together add their weights', () => {
    const one = { kind: 'linear', weight: 'matrix', alias: Array<number>(EXPERTS).fill(0) };
    const matrix = random(54, 1, HIDDEN, HIDDEN);
    const outputs = run(layer(one, EXPERTS), { ...router, matrix });
    const wanted = Array.from({ length: TOKENS }, (_, t) => times(matrix, row(t))).flat();
    expectClose(outputs['y']!, wanted, CLOSE); // the weights of all experts add up to 1
  });
});

describe('ways to apply weights', () => {
  const matrix = random(55, EXPERTS, HIDDEN, HIDDEN);
  const linear = { kind: 'linear', weight: 'matrix' };
  const weighed = (weigh: Keys): Keys => layer(linear, 2, { router: { ...topK(2), weigh } });

  test('to inputs or outputs of linear experts are the same', () => {
    const wanted = run(weighed({}), { ...router, matrix })['y']!;
    expectClose(run(weighed({ apply: 'input' }), { ...router, matrix })['y']!, wanted, CLOSE);
  });

  test('a code with rate 0 changes nothing', () => {
    const codes = random(56, 3, HIDDEN);
    const apply = { kind: 'code', codes: 'codes', rate: 0 };
    const wanted = run(weighed({}), { ...router, matrix })['y']!;
    expect(run(weighed({ apply }), { ...router, matrix, codes })['y']).toEqual(wanted);
  });

  test('interpolation between identities is the identity', () => {
    const outputs = run(
      { experts: EXPERTS, router: { ...topK(2), weigh: { combine: 'interpolate' } }, expert: linear },
      { ...router, matrix: filled([EXPERTS, HIDDEN, HIDDEN], (at) => Number((at % 64) % 9 === 0)) },
    );
    expectClose(outputs['y']!, X.values, CLOSE);
  });
});

describe('stored forms of matrices', () => {
  const dense = (matrix: Named[string]) =>
    run(layer({ kind: 'linear', weight: 'matrix' }), { ...router, matrix })['y'];

  test('ternary ones equal their products with the scale', () => {
    const codes = filled([EXPERTS, HIDDEN, HIDDEN], (at) => ((5 * at) % 3) - 1);
    const scale = filled([EXPERTS], (e) => 0.5 + e);
    const weight = { ternary: 'codes', scale: 'scale' };
    const got = run(layer({ kind: 'linear', weight }), { ...router, codes, scale });
    const each = HIDDEN * HIDDEN;
    const matrix = filled(codes.shape, (at) => codes.values[at]! * scale.values[Math.floor(at / each)]!);
    expect(got['y']).toEqual(dense(matrix));
  });

  test('ternary experts take two bits a weight, and a scale each', () => {
    const [outs, cols] = [5, 40]; // rows of two words and a half
    const codes = filled([EXPERTS, outs, cols], (at) => ((5 * at) % 3) - 1);
    const named = new Map(Object.entries({ codes, scale: filled([EXPERTS], (e) => 0.5 + e) }));
    const matrix = new LayerTensors('the layer', named).get({ ternary: 'codes', scale: 'scale' });
    const builder = new GraphBuilder();
    const nodes = new LayerNodes(builder, { tokens: 1, sequences: 0, widths: new Map() });
    const x = builder.tensor('x', { type: 'f32', role: 'input', perToken: cols });
    nodes.pairs('up', x, { matrix, experts: EXPERTS, places: 1, xPlaces: 1 });
    const sizes = builder.buildPart().weights.map(({ rows, cols: words }) => 4 * rows * words);
    expect(sizes).toEqual([4 * EXPERTS * outs * Math.ceil(cols / 16), 4 * EXPERTS]);
  });

  test('low-rank and sparse ones equal their sums', () => {
    const [left, right] = [random(57, HIDDEN, 2), random(58, EXPERTS, 2, HIDDEN)];
    const plus = filled([EXPERTS, HIDDEN, HIDDEN], (at) => Number(at % 11 === 0));
    const weight = { left: 'left', right: 'right', plus: 'plus' };
    const got = run(layer({ kind: 'linear', weight }), { ...router, left, right, plus });
    const both = product(left, right);
    const matrix = filled(plus.shape, (at) => both.values[at]! + plus.values[at]!);
    expectClose(got['y']!, dense(matrix)!, CLOSE);
  });

  const planes: Named = {
    base: filled([EXPERTS, HIDDEN, HIDDEN], (at) => (7 * at) % 4),
    zero: random(60, EXPERTS, HIDDEN, 2),
    scale: random(61, EXPERTS, HIDDEN, 2),
    'sign.0': filled([EXPERTS, HIDDEN, HIDDEN], (at) => (at % 3 === 0 ? 1 : -1)),
    'sign.1': filled([EXPERTS, HIDDEN, HIDDEN], (at) => (at % 5 === 0 ? 1 : -1)),
    'scale.0': random(62, EXPERTS, HIDDEN, 2),
    'scale.1': random(63, EXPERTS, HIDDEN, 2),
  };
  const nested = {
    planes: {
      ...{ base: 'base', zero: 'zero', scale: 'scale' },
      ...{ signs: ['sign.0', 'sign.1'], scales: ['scale.0', 'scale.1'] },
    },
    group: 4,
  };
  const atLevel = (level: number) =>
    filled([EXPERTS, HIDDEN, HIDDEN], (at) => {
      const place = Math.floor(at / 4);
      let value =
        planes['scale']!.values[place]! * (planes['base']!.values[at]! - planes['zero']!.values[place]!);
      for (let plane = 0; plane < level - 2; plane += 1) {
        value += planes[`scale.${plane}`]!.values[place]! * planes[`sign.${plane}`]!.values[at]!;
      }
      return value;
    });

  test.each([2, 3, 4])('the first planes of nested ones equal the matrix of %i bits', (level) => {
    const bits = { levels: [level], weight: 'bits' };
    const named = { ...router, ...planes, bits: random(64, EXPERTS, 1, HIDDEN) };
    const got = run(layer({ kind: 'linear', weight: nested, bits }), named);
    expectClose(got['y']!, dense(atLevel(level))!, CLOSE);
  });

  test('tokens that choose bits equal each expert at the chosen level', () => {
    const levels = [2, 3, 4];
    const bits = random(65, EXPERTS, levels.length, HIDDEN);
    const named = { ...router, ...planes, bits };
    const outputs = run(layer({ kind: 'linear', weight: nested, bits: { levels, weight: 'bits' } }), named);
    const matrices = levels.map(atLevel);
    const used = new Set<number>();
    const wanted = mixed(routesOf(outputs), (e, x) => {
      const scores = times(slice(bits, e), x);
      const best = scores.indexOf(Math.max(...scores));
      used.add(best);
      return times(slice(matrices[best]!, e), x);
    });
    expect(used.size).toBe(3);
    expectClose(outputs['y']!, wanted, CLOSE);
  });

  test('experts in different forms equal the dense stack', () => {
    const codes = filled([1, HIDDEN, HIDDEN], (at) => ((5 * at) % 3) - 1);
    const own = Array.from({ length: EXPERTS - 2 }, (_, e) => random(70 + e, 1, HIDDEN, HIDDEN));
    const named: Named = {
      ...{ ...router, codes, scale: filled([1], () => 0.25), blocks: filled([1, 2, 4], (at) => 1 + at) },
      ...Object.fromEntries(own.map((matrix, e) => [`own.${e}`, matrix])),
    };
    const forms = [
      { ternary: 'codes', scale: 'scale' },
      { scaled: 'codes', scale: 'blocks', block: [4, 2] },
      ...own.map((_, e) => `own.${e}`),
    ];
    const got = run(layer({ kind: 'linear', weight: { byExpert: forms } }), named);
    const each = HIDDEN * HIDDEN;
    const matrix = filled([EXPERTS, HIDDEN, HIDDEN], (at) => {
      const [e, rest] = [Math.floor(at / each), at % each];
      if (e > 1) return own[e - 2]!.values[rest]!;
      const block = Math.floor(rest / HIDDEN / 4) * 4 + Math.floor((rest % HIDDEN) / 2);
      return codes.values[rest]! * (e === 0 ? 0.25 : named['blocks']!.values[block]!);
    });
    expect(got['y']).toEqual(dense(matrix));
  });
});

test('layers that share a bank hold it once', () => {
  const one = layer(gatedExpert);
  const three = { pattern: { kind: 'parallel', layers: [one, one, one] } };
  expect(weightBytes(three, gated)).toBe(weightBytes(one, gated));
});

describe('what a kind does not run is refused', () => {
  const vectors = { up: 'up', down: 'down', gamma: 'gate', beta: 'gate' };
  const heads = { query: 'gate', key: 'gate', value: 'gate', output: 'down', headSize: WIDTH };
  const after = { kind: 'rms', weight: 'router' };
  const alias = Array<number>(EXPERTS).fill(0);
  const bits = { levels: [2], weight: 'router' };

  test.each<[Keys, RegExp]>([
    [{ kind: 'film', ...vectors, alias }, /alias of film experts/],
    [{ kind: 'attention', ...heads, after }, /after of attention experts/],
    [{ kind: 'lora', a: 'gate', b: 'down', bits }, /bits of lora experts/],
    [{ kind: 'compressed', main: 1, theta: 'router', of: gatedExpert, alias }, /alias of compressed experts/],
    [{ kind: 'each', experts: Array(EXPERTS).fill({ kind: 'skip', after }) }, /after of skip experts/],
    [{ ...gatedExpert, alias, bits }, /bits together with alias/],
  ])('%j', (expert, message) => {
    expect(() => run(layer(expert), gated)).toThrow(expect.objectContaining({ code: 'unsupported-model' }));
    expect(() => run(layer(expert), gated)).toThrow(message);
  });

  test('weighted inputs of a base, and merged scales', () => {
    const weighed = { router: { ...topK(2), weigh: { apply: 'input' } } };
    expect(() => run(layer({ kind: 'lora', a: 'gate', b: 'down' }, 2, weighed), gated)).toThrow(
      /weighted inputs of lora experts/,
    );
    const router = { ...topK(2), select: { kind: 'all' } };
    const merged = { router, pattern: { kind: 'mergeWeights' } };
    expect(() => run(layer({ ...gatedExpert, scale: 'router' }, 2, merged), gated)).toThrow(
      /mergeWeights of experts with scale/,
    );
  });
});
