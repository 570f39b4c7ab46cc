import { describe, expect, test } from 'vitest';
import { noUse } from '../../experts/study/saliency.ts';
import { draftModel } from '../load/planning.ts';
import { remadeModel, type HostTensor } from '../remade-model.testing.ts';
import { largestError, repositoryFolder } from '../testing.ts';
import { folded } from './fold.ts';
import { draftReshaped, runModel } from './reshape.testing.ts';

const IDS = [3, 17, 5, 40, 21, 9, 33, 2];
const SEPARATE = /experts\.(\d+)\.(w[123]|(gate|up|down)_proj)\.weight$/;
const FUSED = /experts\.(gate_up|down)_proj$/;

/** A fixture whose experts all are the first of their layer, and other keys of its config. */
async function withOneExpert(family: string, config: Readonly<Record<string, unknown>> = {}) {
  const folder = await repositoryFolder(`fixtures/models/${family}`);
  const all = new Map<string, HostTensor>();
  await remadeModel(folder, { tensor: (name, tensor) => (all.set(name, tensor), tensor) });
  const first = (name: string, tensor: HostTensor): HostTensor => {
    if (SEPARATE.test(name)) return all.get(name.replace(/experts\.\d+\./, 'experts.0.')) ?? tensor;
    if (!FUSED.test(name)) return tensor;
    const each = tensor.values.length / (tensor.shape[0] ?? 1);
    return { ...tensor, values: tensor.values.map((_, at) => tensor.values[at % each] ?? NaN) };
  };
  return draftModel(await remadeModel(folder, { config, tensor: first }), {});
}

describe('identical experts fold to one of them', () => {
  test.each(['qwen3_moe', 'mixtral', 'minimax_m2'])('%s, whose weights sum to 1', async (family) => {
    const drafted = await withOneExpert(family, family === 'qwen3_moe' ? { norm_topk_prob: true } : {});
    const dense = await draftReshaped(folded(drafted, { shared: 0.75 }));
    expect(dense.expertLayers).toEqual([]);
    const [found, wanted] = [await runModel(dense, IDS), await runModel(drafted, IDS)];
    expect(largestError(found.logits, wanted.logits)).toBeLessThan(2e-5); // sums of other orders
  });

  test('with the scale of the router', async () => {
    const drafted = await withOneExpert('exaone_moe', { n_group: 1, topk_group: 1 });
    const { spec, checkpoint } = drafted;
    const moe = spec.layers.flatMap(({ sublayers }) => sublayers).find(({ block }) => block.kind === 'moe');
    expect(moe).toBeDefined();
    const made = folded(drafted, { shared: 0 });
    const dense = await draftReshaped(made);
    const found = await dense.checkpoint.readF32('atomoe.folded.0.down');
    const layer = spec.layers.findIndex(({ sublayers }) =>
      sublayers.some(({ block }) => block.kind === 'moe'),
    );
    const name = [...checkpoint.names()].find(
      (each) => each.includes(`layers.${layer}.`) && /experts(\.0)?\.down_proj/.test(each),
    );
    const stored = await checkpoint.readF32(name ?? '');
    const { routed_scaling_factor: scale } = checkpoint.config;
    expect(scale).not.toBe(1);
    expect(
      largestError(
        found,
        stored.subarray(0, found.length).map((value) => value * Number(scale)),
      ),
    ).toBeLessThan(1e-6);
  });
});

test('shares follow use, and the shared expert has its own', async () => {
  const drafted = await draftModel(await repositoryFolder('fixtures/models/qwen3_moe'), {});
  const { experts = 0 } = drafted.expertLayers[0] ?? {};
  const use = drafted.expertLayers.map(() => ({
    ...noUse(experts),
    uses: new Float64Array(experts).map((_, id) => (id < 2 ? 1 + 2 * id : 0)),
  }));
  const { checkpoint } = await draftReshaped(folded(drafted, { use, shared: 0.75 }));
  const up = (expert: number) =>
    drafted.checkpoint.readF32(`model.layers.0.mlp.experts.${expert}.up_proj.weight`);
  const [first, second] = [await up(0), await up(1)];
  const wanted = first.map((value, at) => 0.25 * value + 0.75 * (second[at] ?? NaN));
  expect(largestError(await checkpoint.readF32('atomoe.folded.0.up'), wanted)).toBeLessThan(1e-6);
});

test('a shared expert of the same width is added by its share', async () => {
  const drafted = await draftModel(await repositoryFolder('fixtures/models/glm4_moe'), {});
  const made = folded(drafted, { shared: 0.6 });
  const { checkpoint } = await draftReshaped(made);
  const whole = await draftReshaped(folded(drafted, { shared: 1 }));
  const none = await draftReshaped(folded(drafted, { shared: 0 }));
  for (const matrix of ['gate', 'up', 'down']) {
    const name = `atomoe.folded.0.${matrix}`;
    const [all, nothing] = [await whole.checkpoint.readF32(name), await none.checkpoint.readF32(name)];
    const wanted = all.map((value, at) => 0.6 * value + 0.4 * (nothing[at] ?? NaN));
    expect(largestError(await checkpoint.readF32(name), wanted)).toBeLessThan(1e-6);
    const shared = [...drafted.checkpoint.names()].find((each) =>
      each.includes(`shared_experts.${matrix}_proj`),
    );
    expect(largestError(all, await drafted.checkpoint.readF32(shared ?? ''))).toBe(0);
  }
});

test.each([
  ['gpt_oss', /the experts are of the kind "gated", or have biases or clamps/],
  ['nemotron_h', /the experts are of the kind "reluSquared"/],
  ['qwen2_moe', /the shared expert has width \d+ and silu, the others \d+/],
  ['llama4_text', /inputs of experts are weighted/],
])('%s is refused', async (family, message) => {
  const drafted = await draftModel(await repositoryFolder(`fixtures/models/${family}`), {});
  expect(() => folded(drafted, { shared: 0.75 })).toThrow(message);
});

test('options and configs that are wrong are refused', async () => {
  const drafted = await draftModel(await repositoryFolder('fixtures/models/qwen3_moe'), {});
  expect(() => folded(drafted, { shared: 1.5 })).toThrow(/share of the shared expert is 1.5/);
  expect(() => folded(drafted, { use: [noUse(3)], shared: 0 })).toThrow(/wanted a trace of this model/);
  const made = folded(drafted, { shared: 0 });
  const changed = { ...made, config: { ...made.config, atomoe: { folded: 'yes' } } };
  await expect(draftReshaped(changed)).rejects.toThrow(/atomoe\.folded is "yes"; wanted true/);
});
