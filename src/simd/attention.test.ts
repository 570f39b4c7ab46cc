import { describe, expect, test } from 'vitest';
import { attentionReference } from '../kernels/attention/attention.reference.ts';
import { ropeKvReference } from '../kernels/attention/rope-kv.reference.ts';
import { randomNormal } from '../kernels/testing.ts';
import { SCRATCH_BYTES } from './kernels.ts';
import { Bench, BUILDS, error } from './testing.ts';

const CLOSE = 1e-5;

const shapes = [
  { tokens: 1, past: 0, heads: 1, kvHeads: 1, headDim: 1, window: 0 },
  { tokens: 1, past: 130, heads: 4, kvHeads: 2, headDim: 64, window: 0 },
  { tokens: 1, past: 69, heads: 20, kvHeads: 2, headDim: 36, window: 0 },
  { tokens: 5, past: 3, heads: 6, kvHeads: 3, headDim: 33, window: 0 },
  { tokens: 7, past: 31, heads: 3, kvHeads: 1, headDim: 96, window: 4 },
  { tokens: 3, past: 0, heads: 2, kvHeads: 2, headDim: 8, window: 2 },
  { tokens: 9, past: 3, heads: 3, kvHeads: 1, headDim: 36, window: 0, chunk: 4 },
  { tokens: 3, past: 2, heads: 20, kvHeads: 2, headDim: 8, window: 0, sinks: randomNormal(20, 5, 4) },
];

describe.each(BUILDS)('%s', (build) => {
  test.each(shapes)('attention %o', (shape) => {
    const { tokens, past, heads, kvHeads, headDim, window } = shape;
    const bench = new Bench(build);
    const scale = 1 / Math.sqrt(headDim);
    const q = randomNormal(tokens * heads * headDim, 1, 3);
    const [k, v] = [2, 3].map((seed) => randomNormal((past + tokens) * kvHeads * headDim, seed)) as [
      Float32Array<ArrayBuffer>,
      Float32Array<ArrayBuffer>,
    ];
    const scratch = bench.scratch(SCRATCH_BYTES + 32 * (past + tokens));
    const sinksAt = shape.sinks ? bench.put(shape.sinks) : 0;
    const inputs = [bench.put(q), bench.put(k), bench.put(v), sinksAt] as const;
    const run = (...cuts: readonly number[]) => {
      const y = bench.room(q.length);
      for (const [i, first] of cuts.slice(0, -1).entries()) {
        const numbers = [tokens, past, heads, kvHeads, headDim, scale, window, shape.chunk ?? 0] as const;
        bench.kernels.attention(...inputs, y, scratch, ...numbers, first, cuts[i + 1]!);
      }
      return bench.floats(y);
    };
    const pairs = tokens * heads;
    const whole = run(0, pairs);
    expect(error(whole, attentionReference(q, k, v, { ...shape, scale }))).toBeLessThan(CLOSE);
    expect(run(0, Math.ceil(pairs / 3), pairs)).toEqual(whole);
  });

  test('attention to scores far apart', () => {
    const bench = new Bench(build);
    const shape = { tokens: 1, past: 5, heads: 1, kvHeads: 1, headDim: 4, scale: 40, window: 0 };
    const [q, k, v] = [randomNormal(4, 1, 10), randomNormal(24, 2, 10), randomNormal(24, 3)];
    const y = bench.room(4);
    const inputs = [bench.put(q), bench.put(k), bench.put(v), 0, y, bench.scratch()] as const;
    bench.kernels.attention(...inputs, 1, 5, 1, 1, 4, 40, 0, 0, 0, 1);
    expect(error(bench.floats(y), attentionReference(q, k, v, shape))).toBeLessThan(CLOSE);
  });

  const ropes = (['half', 'pair'] as const).flatMap((style) =>
    (['none', 'head', 'vector', 'headAndValue'] as const).flatMap((norm) =>
      [
        { headDim: 12, rotaryDim: 12 },
        { headDim: 32, rotaryDim: 18 },
        { headDim: 5, rotaryDim: 2 },
      ].map((dims) => ({ style, norm, ...dims })),
    ),
  );

  test.each(ropes)(
    'rope_kv $style, norm $norm, $rotaryDim of $headDim',
    ({ style, norm, headDim, rotaryDim }) => {
      const [tokens, past, heads, kvHeads, eps] = [3, 4, 4, 2, 1e-3];
      const bench = new Bench(build);
      const options = { tokens, past, heads, kvHeads, headDim, rotaryDim, style, norm, eps };
      const qkv = randomNormal(tokens * (heads + 2 * kvHeads) * headDim, 1);
      const turns = randomNormal(((past + tokens) * rotaryDim) / 2, 2);
      const angles = Float32Array.from([...turns].flatMap((angle) => [Math.cos(angle), Math.sin(angle)]));
      const [qGain, kGain] = [randomNormal(heads * headDim, 3), randomNormal(kvHeads * headDim, 4)];
      const [q, k, v] = [heads, kvHeads, kvHeads].map((each, i) =>
        bench.room((i === 0 ? tokens : past + tokens) * each * headDim),
      ) as [number, number, number];
      const inputs = [
        bench.put(qkv),
        bench.put(angles),
        bench.put(qGain),
        bench.put(kGain),
        q,
        k,
        v,
      ] as const;
      const codes = [
        { half: 0, pair: 1 }[style],
        { none: 0, head: 1, vector: 2, headAndValue: 3 }[norm],
      ] as const;
      const call = [...inputs, tokens, past, heads, kvHeads, headDim, rotaryDim, ...codes, eps] as const;
      bench.kernels.rope_kv(...call, 0, 1);
      bench.kernels.rope_kv(...call, 1, tokens);
      const wanted = ropeKvReference(qkv, angles, qGain, kGain, options);
      const before = past * kvHeads * headDim;
      expect(error(bench.floats(q), wanted.q)).toBeLessThan(CLOSE);
      expect(error(bench.floats(k).subarray(before), wanted.k)).toBeLessThan(CLOSE);
      const values = bench.floats(v).subarray(before);
      if (norm === 'headAndValue') expect(error(values, wanted.v)).toBeLessThan(CLOSE);
      else expect(values).toEqual(wanted.v);
      const untouched = new Bench(build);
      expect(bench.floats(k).subarray(0, before)).toEqual(untouched.floats(untouched.room(before)));
    },
  );
});
