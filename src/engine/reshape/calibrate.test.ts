import { expect, test } from 'vitest';
import { NO_EXPERT } from '../../graph/ops/skip-light.ts';
import type { Checkpoint } from '../../containers/checkpoint.ts';
import { noUse, type ExpertUse } from '../../experts/study/saliency.ts';
import { unitsOf } from '../../experts/study/trace.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { draftModel } from '../load/planning.ts';
import { repositoryFolder } from '../testing.ts';
import { Calibration } from './calibrate.ts';

const TEXTS = [[3, 17, 5, 40, 21, 9, 33, 2], [7]];

/** Reads the three matrices of an expert of qwen3_moe, and runs it in f64. */
async function expertOf(checkpoint: Checkpoint, layer: number, expert: number) {
  const name = `model.layers.${layer}.mlp.experts.`;
  const read = async (matrix: string) => {
    const single = `${name}${expert}.${matrix}_proj.weight`;
    if (checkpoint.tensor(single)) return checkpoint.readF32(single);
    throw new Error(`${single} is missing`);
  };
  const [gate, up, down] = await Promise.all(['gate', 'up', 'down'].map(read));
  const times = (matrix: Float32Array, x: ArrayLike<number>) =>
    Array.from({ length: matrix.length / x.length }, (_, row) => {
      let sum = 0;
      for (let col = 0; col < x.length; col += 1) sum += (matrix[row * x.length + col] ?? 0) * (x[col] ?? 0);
      return sum;
    });
  return (x: ArrayLike<number>) => {
    const [g, u] = [times(gate ?? new Float32Array(), x), times(up ?? new Float32Array(), x)];
    const h = g.map((value, i) => (value / (1 + Math.exp(-value))) * (u[i] ?? 0));
    return times(down ?? new Float32Array(), h);
  };
}

const lengthOf = (values: readonly number[]) => Math.sqrt(values.reduce((sum, each) => sum + each * each, 0));

test('sums are those of experts that are run one by one', async () => {
  const drafted = await draftModel(await repositoryFolder('fixtures/models/qwen3_moe'), {});
  const calibration = await Calibration.open(drafted);
  const found = await calibration.expertUse(TEXTS);
  const wanted: ExpertUse[] = drafted.expertLayers.map(({ experts }) => noUse(experts));
  const seen: {
    layer: number;
    id: number;
    weight: number;
    x: Float32Array;
    before: number[];
    after: number[];
  }[] = [];
  await calibration.run(TEXTS, (graph, get, tokens) => {
    for (const [layer, route] of graph.routes.entries()) {
      const experts = graph.nodes.find(({ op, reads }) => op === 'experts' && reads.includes(route.ids));
      if (!experts || !route.around) throw new Error(`layer ${layer} has no experts`);
      const { stream } = route.around;
      const io = experts.io as { x: Tensor; y: Tensor };
      const [x, y] = [get(io.x) as Float32Array, get(io.y)];
      const { perToken: most } = route.ids;
      const hidden = drafted.spec.hidden;
      for (let pair = 0; pair < tokens * most; pair += 1) {
        const row = Math.floor(pair / most) * hidden;
        const before = [...get(stream).slice(row, row + hidden)];
        const after = before.map((value, i) => value + (y[row + i] ?? 0));
        const [id = 0, weight = 0] = [get(route.ids)[pair], get(route.weights)[pair]];
        seen.push({ layer, id, weight, x: x.slice(row, row + hidden), before, after });
      }
    }
  });
  expect(seen).toHaveLength(9 * drafted.expertLayers.reduce((sum, { most }) => sum + most, 0));
  for (const { layer, id, weight, x, before, after } of seen) {
    const output = (await expertOf(drafted.checkpoint, layer, id))(x);
    const sums = wanted[layer] ?? noUse(0);
    const cosine =
      before.reduce((sum, each, i) => sum + each * (after[i] ?? 0), 0) / lengthOf(before) / lengthOf(after);
    const add = (values: Float64Array, value: number) => (values[id] = (values[id] ?? 0) + value);
    add(sums.uses, 1);
    add(sums.weighed, weight * lengthOf(output));
    add(sums.turned, weight * lengthOf(output) * Math.max(0, 1 - cosine));
  }
  for (const [layer, { uses, weighed, turned }] of found.entries()) {
    expect(uses).toEqual(wanted[layer]?.uses);
    weighed.forEach((value, id) => expect(value).toBeCloseTo(wanted[layer]?.weighed[id] ?? NaN, 5)); // f32 against f64
    turned.forEach((value, id) => expect(value).toBeCloseTo(wanted[layer]?.turned[id] ?? NaN, 5));
  }
  expect(Math.max(...found.flatMap(({ turned }) => [...turned]))).toBeGreaterThan(1e-4);
});

test('experts that a token skips are not counted', async () => {
  const drafted = await draftModel(await repositoryFolder('fixtures/models/qwen3_moe'), {
    lossy: { skipBelow: 0.4 },
  });
  const calibration = await Calibration.open(drafted);
  const [use] = await calibration.expertUse(TEXTS);
  let kept = 0;
  await calibration.run(TEXTS, ({ routes: [route] }, get) => {
    if (route) kept += get(route.ids).filter((id) => id !== NO_EXPERT).length;
  });
  const all = 9 * (drafted.expertLayers[0]?.most ?? 0);
  expect(kept).toBeLessThan(all);
  expect(use?.uses.reduce((sum, each) => sum + each, 0)).toBe(kept);
});

test('routes are a trace, in the order of ranks', async () => {
  const drafted = await draftModel(await repositoryFolder('fixtures/models/qwen3_moe'), {});
  const calibration = await Calibration.open(drafted);
  const trace = await calibration.trace(TEXTS);
  const { layers, units, topK, steps, warmUp } = trace;
  const [{ experts = 0, most = 0 } = {}] = drafted.expertLayers;
  expect({ layers, units, topK, steps, warmUp }).toEqual({
    layers: drafted.expertLayers.length,
    units: experts,
    topK: most,
    steps: 9,
    warmUp: 0,
  });
  let last: number[] = [];
  await calibration.run(TEXTS, ({ routes }, get) => {
    last = [...get(routes[1]?.ids ?? routes[0]!.ids)];
  });
  expect([...unitsOf(trace, 8, 1)]).toEqual(last);
});

test('is stopped by its signal', async () => {
  const drafted = await draftModel(await repositoryFolder('fixtures/models/qwen3_moe'), {});
  const calibration = await Calibration.open(drafted);
  const stopping = new AbortController();
  const reason = new Error('enough');
  stopping.abort(reason);
  await expect(calibration.expertUse(TEXTS, { signal: stopping.signal })).rejects.toBe(reason);
});

test.each(['gpt_oss', 'nemotron_h', 'llama4_text'])(
  '%s: weighed outputs of other kinds of experts add up',
  async (family) => {
    const drafted = await draftModel(await repositoryFolder(`fixtures/models/${family}`), {});
    const calibration = await Calibration.open(drafted);
    const use = await calibration.expertUse(TEXTS);
    for (const [bank, { uses, weighed }] of use.entries()) {
      expect(uses.reduce((sum, each) => sum + each, 0)).toBe(9 * (drafted.expertLayers[bank]?.most ?? 0));
      weighed.forEach((value, id) => expect(value > 0).toBe((uses[id] ?? 0) > 0));
    }
  },
);
