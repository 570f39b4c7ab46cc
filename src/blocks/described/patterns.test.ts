/** Patterns of layers against the layers that they are short for, on the reference. */
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../kernels/testing.ts';
import {
  filled,
  HIDDEN,
  random,
  run,
  TOKENS,
  weightBytes,
  X,
  type Keys,
  type Named,
} from './layer.testing.ts';

const EXPERTS = 4;
const WIDTH = 4;

const tensorsOf = (seed: number, prefix = ''): Named => ({
  [`${prefix}router`]: random(seed, EXPERTS, HIDDEN),
  [`${prefix}gate`]: random(seed + 1, EXPERTS, WIDTH, HIDDEN),
  [`${prefix}up`]: random(seed + 2, EXPERTS, WIDTH, HIDDEN),
  [`${prefix}down`]: random(seed + 3, EXPERTS, HIDDEN, WIDTH),
});

const layerOf = (prefix = ''): Keys => ({
  experts: EXPERTS,
  router: {
    score: { kind: 'linear', weight: `${prefix}router` },
    transform: [{ kind: 'softmax' }],
    select: { kind: 'topK', k: 2 },
  },
  expert: { kind: 'gated', gate: `${prefix}gate`, up: `${prefix}up`, down: `${prefix}down` },
});

const tensors = tensorsOf(100);
const plain = () => run(layerOf(), tensors)['y']!;

const CLOSE = { absolute: 1e-6, relative: 1e-5 };

const sum = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Float32Array.from(a, (value, at) => value + b[at]!);

test('a chain holds its experts once', () => {
  const chain = { ...layerOf(), pattern: { kind: 'chain', iterations: 4 } };
  expect(weightBytes(chain, tensors)).toBe(weightBytes(layerOf(), tensors));
});

test('parallel layers are their sum, and a blend of equal shares is their mean', () => {
  const all = { ...tensors, ...tensorsOf(200, 'b.'), even: filled([2, HIDDEN], () => 0) };
  const layers = [layerOf(), layerOf('b.')];
  const wanted = sum(plain(), run(layerOf('b.'), all)['y']!);
  expect(run({ pattern: { kind: 'parallel', layers } }, all)['y']).toEqual(wanted);
  const blend = run({ pattern: { kind: 'blend', layers, gate: 'even' } }, all)['y']!;
  expectClose(
    blend,
    wanted.map((value) => value / 2),
    CLOSE,
  );
});

describe('repeated layers', () => {
  /** A network that decides for the same number of runs whatever it reads. */
  const repeated = (runs: number) => {
    const decide = { layers: [{ weight: 'zeros', bias: 'wanted' }], windows: 3 };
    const norm = { kind: 'rms', weight: 'norm' };
    return run(
      { ...layerOf(), pattern: { kind: 'repeat', decide, norm, sees: 'prompt' } },
      {
        ...tensors,
        norm: random(300, HIDDEN),
        zeros: filled([3, HIDDEN], () => 0),
        wanted: filled([3], (at) => Number(at === runs)),
      },
    )['y'];
  };
  const steps = (count: number) => {
    const step = { layer: layerOf(), norm: { kind: 'rms', weight: 'norm' } };
    const pattern = { kind: 'sequence', steps: Array.from({ length: count }, () => step) };
    return run({ pattern }, { ...tensors, norm: random(300, HIDDEN) })['y'];
  };

  test('that do not run leave the token as it is', () => {
    expect(repeated(0)).toEqual(X.values);
  });

  test.each([1, 2])('that run %i times equal the steps written out, in the same bits', (runs) => {
    expect(repeated(runs)).toEqual(steps(runs));
  });
});

const SIZE = 4;
const HEADS = 3;

/** Causal attention of heads in plain loops; `keep` tells which heads of a token count. */
function attention(named: Named, keep: (token: number, head: number) => number): number[] {
  const rows = (name: string) => {
    const matrix = named[name]!;
    return Array.from({ length: TOKENS }, (_, t) =>
      Array.from({ length: matrix.shape[0]! }, (_unused, r) => {
        let total = 0;
        for (let c = 0; c < HIDDEN; c += 1) {
          total += matrix.values[r * HIDDEN + c]! * X.values[t * HIDDEN + c]!;
        }
        return total;
      }),
    );
  };
  const [q, k, v] = [rows('query'), rows('key'), rows('value')];
  const output = named['output']!;
  return Array.from({ length: TOKENS }, (_, t) => {
    const joined = Array.from({ length: HEADS }, (_unused, head) => {
      const at = head * SIZE;
      const scores = Array.from({ length: t + 1 }, (_more, u) => {
        let score = 0;
        for (let j = 0; j < SIZE; j += 1) score += q[t]![at + j]! * k[u]![at + j]!;
        return Math.exp(score / Math.sqrt(SIZE));
      });
      const total = scores.reduce((all, score) => all + score, 0);
      return Array.from({ length: SIZE }, (_more, j) => {
        const mean = scores.reduce((all, score, u) => all + (score / total) * v[u]![at + j]!, 0);
        return keep(t, head) * mean;
      });
    }).flat();
    return Array.from({ length: HIDDEN }, (_unused, i) =>
      joined.reduce((all, value, j) => all + output.values[i * joined.length + j]! * value, 0),
    );
  }).flat();
}

describe('heads as experts', () => {
  const named: Named = {
    query: random(400, HEADS * SIZE, HIDDEN),
    key: random(401, HEADS * SIZE, HIDDEN),
    value: random(402, HEADS * SIZE, HIDDEN),
    output: random(403, HIDDEN, HEADS * SIZE),
    router: random(404, HEADS, HIDDEN),
  };
  const matrices = { query: 'query', key: 'key', value: 'value', output: 'output', headSize: SIZE };
  const heads = (k: number, more: Keys = {}): Keys => ({
    experts: HEADS,
    router: {
      score: { kind: 'linear', weight: 'router' },
      select: { kind: 'topK', k },
      weigh: { from: 'one' },
    },
    pattern: { kind: 'heads', ...matrices },
    ...more,
  });

  test('all chosen with weight 1 are multi-head attention', () => {
    expectClose(
      run(heads(HEADS), named)['y']!,
      attention(named, () => 1),
      CLOSE,
    );
  });

  test('that are not chosen add nothing', () => {
    const outputs = run(heads(2), named);
    const ids = outputs['ids.0']!;
    const wanted = attention(named, (t, head) => Number([ids[2 * t], ids[2 * t + 1]].includes(head)));
    expectClose(outputs['y']!, wanted, CLOSE);
  });

  test('that choose all tokens with weight 1 are dense causal heads', () => {
    const stacked = (name: string) => ({ ...named[name]!, shape: [HEADS, SIZE, HIDDEN] });
    const output = filled([HEADS, HIDDEN, SIZE], (at) => {
      const [head, i, j] = [Math.floor(at / (HIDDEN * SIZE)), Math.floor(at / SIZE) % HIDDEN, at % SIZE];
      return named['output']!.values[i * HEADS * SIZE + head * SIZE + j]!;
    });
    const router = {
      score: { kind: 'linear', weight: 'router' },
      select: { kind: 'expertChoice', tokensPerExpert: TOKENS },
      weigh: { from: 'one' },
      scope: { sees: 'sequence' },
    };
    const got = run(
      { experts: HEADS, router, pattern: { kind: 'sparseAttention', ...matrices } },
      {
        ...named,
        ...{ query: stacked('query'), key: stacked('key'), value: stacked('value'), output },
      },
    );
    expectClose(
      got['y']!,
      attention(named, () => 1),
      CLOSE,
    );
  });
});

test('slots of which each reads one token and writes to it run that token through its expert', () => {
  // One token per slot: logits that are large where the token is its slot's, and far lower elsewhere.
  const basis = filled([HIDDEN, HIDDEN], (at) => (at % (HIDDEN + 1) === 0 ? 400 : 0));
  const x = filled([TOKENS, HIDDEN], (at) => {
    const [t, i] = [Math.floor(at / HIDDEN), at % HIDDEN];
    return t % HIDDEN === i ? 1 : 0;
  });
  const { expert } = layerOf();
  const pattern = { kind: 'softMix', slots: 'slots', perExpert: 2, sees: 'sequence' };
  const all = { ...tensors, slots: basis };
  const got = run({ experts: EXPERTS, expert, pattern }, all, x)['y']!;
  const ids = filled([TOKENS, 1], (t) => Math.floor((t % HIDDEN) / 2));
  const router = {
    score: { kind: 'zero' },
    select: { kind: 'ids', name: 'ids' },
    weigh: { from: 'one' },
  };
  const wanted = run({ experts: EXPERTS, most: 1, router, expert }, { ...tensors, ids }, x)['y']!;
  expectClose(got, wanted, CLOSE);
});
