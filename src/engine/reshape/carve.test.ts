import { expect, test } from 'vitest';
import { draftModel } from '../load/planning.ts';
import { firstDifference, largestError, repositoryFolder } from '../testing.ts';
import { carved, inOrder } from './carve.ts';
import { storiesFolder } from './carve.testing.ts';
import { draftReshaped, runModel } from './reshape.testing.ts';

const IDS = [1, 403, 407, 261, 378, 9, 33, 2];
const LAYERS = 5;

test.each([
  [0, 43],
  [3, 40],
  [42, 1],
])('with %d shared and all %d others active, logits are those of the dense model', async (shared, active) => {
  const drafted = await draftModel(await storiesFolder(), {});
  const made = await draftReshaped(carved(drafted, { experts: 43, shared, active }, []));
  expect(made.expertLayers.map(({ experts, most }) => [experts, most])).toEqual(
    Array.from({ length: LAYERS }, () => [active, active]),
  );
  const [found, wanted] = [await runModel(made, IDS), await runModel(drafted, IDS)];
  expect(largestError(found.logits, wanted.logits)).toBeLessThan(5e-5); // sums of other orders
  expect(found.weights.flat().every((weight) => weight === 1)).toBe(true);
  const chosen = found.ids[0]?.slice(0, active).toSorted((a, b) => a - b);
  expect(chosen).toEqual(Array.from({ length: active }, (_, id) => id));
});

test('the rows of the router and of experts are rows of the dense model', async () => {
  const drafted = await draftModel(await storiesFolder(), {});
  const reversed = Array.from({ length: 172 }, (_, neuron) => 171 - neuron);
  const each = (part: number) => reversed.slice(4 * part, 4 * (part + 1));
  const parts = Array.from({ length: 42 }, (_, e) => each(e + 1));
  const division = {
    shared: each(0),
    routed: parts,
    leaders: parts.map((neurons, e) => neurons[e % 4] ?? 0),
  };
  const carving = { experts: 43, shared: 1, active: 2 };
  const { checkpoint } = await draftReshaped(carved(drafted, carving, Array(LAYERS).fill(division)));
  const dense = (matrix: string) => drafted.checkpoint.readF32(`model.layers.2.mlp.${matrix}_proj.weight`);
  const rows = async (matrix: string, neurons: readonly number[]) => {
    const values = await dense(matrix);
    return Float32Array.from(neurons.flatMap((n) => [...values.subarray(64 * n, 64 * (n + 1))]));
  };
  const expectRows = async (name: string, wanted: Float32Array) =>
    expect(firstDifference(await checkpoint.readF32(`atomoe.${name}`), wanted)).toBe('equal');
  await expectRows('router.2.classifier', await rows('up', division.leaders));
  await expectRows('router.2.gate', await rows('gate', division.leaders));
  await expectRows('shared.2.up', await rows('up', each(0)));
  await expectRows('experts.2.1.gate', await rows('gate', each(2)));
  const down = await dense('down');
  const columns = Array.from({ length: 64 }, (_, row) => each(3).map((n) => down[row * 172 + n] ?? NaN));
  await expectRows('experts.2.2.down', Float32Array.from(columns.flat()));
});

test('neurons in their order', () => {
  const { shared, routed, leaders } = inOrder(8, { experts: 4, shared: 1, active: 1 });
  expect({ shared, routed, leaders }).toEqual({
    shared: [0, 1],
    routed: [
      [2, 3],
      [4, 5],
      [6, 7],
    ],
    leaders: [2, 4, 6],
  });
});

test.each([
  [
    { experts: 5, shared: 1, active: 1 },
    /5 experts do not divide the 172 neurons of an MLP in fours; wanted one of 43/,
  ],
  [{ experts: 1, shared: 0, active: 1 }, /experts is 1; wanted 2 or more/],
  [{ experts: 4, shared: 4, active: 1 }, /shared is 4; wanted 0 to 3/],
  [{ experts: 4, shared: 1, active: 4 }, /active is 4; wanted 1 to 3/],
])('%j is refused', async (carving, message) => {
  const drafted = await draftModel(await storiesFolder(), {});
  expect(() => carved(drafted, carving, [])).toThrow(message);
});

test('models and configs that are wrong are refused', async () => {
  const sizes = { experts: 43, shared: 1, active: 1 };
  const moe = await draftModel(await repositoryFolder('fixtures/models/qwen3_moe'), {});
  expect(() => carved(moe, sizes, [])).toThrow(/has routed experts already; wanted a dense model/);
  const made = carved(await draftModel(await storiesFolder(), {}), sizes, []);
  const withSizes = (section: unknown) =>
    draftReshaped({ ...made, config: { ...made.config, atomoe: { carved: section } } });
  await expect(withSizes('yes')).rejects.toThrow(/atomoe\.carved\.experts is undefined; wanted 2 or more/);
  await expect(withSizes({ ...sizes, experts: 5 })).rejects.toThrow(/and the model has others/);
});

test('weights of 16 bits stay as they are', async () => {
  const drafted = await draftModel(await storiesFolder('BF16'), {});
  const made = carved(drafted, { experts: 43, shared: 3, active: 40 }, []);
  expect(new Set(made.tensors.map(({ dtype }) => dtype))).toEqual(new Set(['BF16']));
  const reshaped = await draftReshaped(made);
  const [found, wanted] = [await runModel(reshaped, IDS), await runModel(drafted, IDS)];
  expect(largestError(found.logits, wanted.logits)).toBeLessThan(5e-5);
});
