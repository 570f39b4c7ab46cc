import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../containers/seeded-random.testing.ts';
import { runReference } from '../../graph/references.ts';
import type { Node, RunContext } from '../../graph/node.ts';
import type { GateIo } from '../../graph/ops/gate.ts';
import { noUse } from '../../experts/study/saliency.ts';
import { draftModel } from '../load/planning.ts';
import { remadeModel } from '../remade-model.testing.ts';
import { firstDifference, FIXTURE_FAMILIES, repositoryFolder } from '../testing.ts';
import type { FolderSource } from '../../io/source.ts';
import { moesOf } from './reshaped.ts';
import { chooseExperts, pruned } from './prune.ts';
import { draftReshaped, runModel, type Run } from './reshape.testing.ts';

const IDS = [3, 17, 5, 40, 21, 9, 33, 2];

async function fixture(family: string) {
  return draftModel(await repositoryFolder(`fixtures/models/${family}`), {});
}

/** The model with all but some experts masked: they have the logit -inf and are never selected. */
function masked(kept: readonly (readonly number[])[]) {
  return ({ graph, resources }: Run): Run => {
    const logitsOf = graph.routes.map(
      ({ ids }) => gateOf(graph.nodes.find(({ writes }) => writes.includes(ids)))?.logits,
    );
    const nodes = graph.nodes.map((node) => {
      const bank = logitsOf.indexOf(gateOf(node)?.logits);
      return gateOf(node) && bank >= 0 ? maskedGate(node, kept[bank] ?? []) : node;
    });
    return { graph: { ...graph, nodes }, resources };
  };
}

function gateOf(node: Node | undefined): GateIo | undefined {
  return node?.op === 'gate' ? (node.io as GateIo) : undefined;
}

function maskedGate(node: Node, kept: readonly number[]): Node {
  const { logits, bias, experts } = node.io as GateIo;
  const mask = (values: Float32Array) =>
    values.map((value, index) => (kept.includes(index % experts) ? value : -Infinity));
  const run = (context: RunContext) =>
    runReference(node, {
      ...context,
      floats: (tensor) => (tensor === logits ? mask(context.floats(tensor)) : context.floats(tensor)),
      weight: (weight) => (weight === bias ? mask(context.weight(weight)) : context.weight(weight)),
    });
  return { ...node, run };
}

/** Some experts of each layer: as many of each group. */
function someExperts(
  layers: number,
  experts: number,
  groups: number,
  perGroup: number,
  seed: number,
): number[][] {
  const random = seededRandom(seed);
  const size = experts / groups;
  return Array.from({ length: layers }, () =>
    Array.from({ length: groups }, (_, group) => {
      const ids = Array.from({ length: size }, (__, index) => group * size + index);
      while (ids.length > perGroup) ids.splice(Math.floor(random() * ids.length), 1);
      return ids;
    }).flat(),
  );
}

async function expectMask(folder: FolderSource, keepShare: number) {
  const drafted = await draftModel(folder, {});
  const { expertLayers, spec } = drafted;
  const [{ experts, most } = { experts: 0, most: 0 }] = expertLayers;
  const { groups } = moesOf(spec)[0]?.router.select ?? {};
  const count = groups?.count ?? 1;
  const perGroup = Math.max(Math.ceil((experts / count) * keepShare), groups ? 2 : most);
  const kept = someExperts(expertLayers.length, experts, count, perGroup, 7);
  const wanted = await runModel(drafted, IDS, masked(kept));
  const small = await draftReshaped(pruned(drafted, kept));
  expect(small.expertLayers.map((layer) => layer.experts)).toEqual(kept.map(({ length }) => length));
  expect(small.numbers).toEqual({ count: experts, ids: kept });
  const found = await runModel(small, IDS);
  expect(found.ids.map((ids, bank) => ids.map((id) => kept[bank]?.[id]))).toEqual(wanted.ids);
  expect(found.weights).toEqual(wanted.weights);
  expect(firstDifference(found.logits, wanted.logits)).toBe('equal');
  return { isSmaller: kept[0]?.length !== experts, found, whole: await runModel(drafted, IDS) };
}

describe('a pruned model is the model with a mask', () => {
  test.each(FIXTURE_FAMILIES)('%s', async (family) => {
    await expectMask(await repositoryFolder(`fixtures/models/${family}`), 0.75);
  });

  test('with groups, of each of which as many are left', async () => {
    const folder = await remadeModel(await repositoryFolder('fixtures/models/deepseek_v3'), {
      config: { n_group: 2, topk_group: 1 },
    });
    const { isSmaller, found, whole } = await expectMask(folder, 0.75);
    expect(isSmaller).toBe(true);
    expect(firstDifference(found.logits, whole.logits)).not.toBe('equal');
  });
});

describe('which experts are kept', () => {
  const useOf = (saliency: readonly number[]) => ({
    ...noUse(saliency.length),
    uses: Float64Array.from(saliency),
  });

  test('the most salient, by layer', async () => {
    const drafted = await fixture('qwen3_moe');
    const layers = drafted.expertLayers.length;
    const { experts = 0 } = drafted.expertLayers[0] ?? {};
    const use = Array.from({ length: layers }, (_, layer) =>
      useOf(Array.from({ length: experts }, (__, id) => (id + layer) % experts)),
    );
    const kept = chooseExperts(drafted, use, 3, 'usage');
    expect(kept[0]).toEqual([experts - 3, experts - 2, experts - 1]);
    expect(kept[1]).toEqual([experts - 4, experts - 3, experts - 2]);
  });

  test('is refused where it cannot be', async () => {
    const drafted = await fixture('qwen3_moe');
    const { expertLayers } = drafted;
    const use = expertLayers.map(({ experts }) => noUse(experts));
    const { experts = 0, most = 0 } = expertLayers[0] ?? {};
    for (const count of [most - 1, experts, 2.5])
      expect(() => chooseExperts(drafted, use, count, 'reap')).toThrow(/experts are to be kept of/);
    expect(() => chooseExperts(drafted, use.slice(1), most, 'reap')).toThrow(/wanted a trace of this model/);
    const grouped = await fixture('deepseek_v3');
    const all = grouped.expertLayers.map((layer) => noUse(layer.experts));
    expect(() => chooseExperts(grouped, all, 6, 'reap')).toThrow(
      /the router has 4 groups; wanted a multiple of 4 from 8 on/,
    );
    const neurons = await draftModel(await repositoryFolder('demo/public/models/fable-omni-8m'), {});
    expect(() => chooseExperts(neurons, [], 64, 'reap')).toThrow(/single neurons of a grid/);
    const dense = await fixture('qwen3_moe');
    expect(() => pruned({ ...dense, expertLayers: [] }, [])).toThrow(/has no routed experts/);
  });

  test('of blocks, which safetensors has not', async () => {
    const drafted = await draftModel(await repositoryFolder('fixtures/gguf-quant/qwen3moe-q4_0.gguf'), {});
    const kept = drafted.expertLayers.map(() => [0, 1, 2]);
    expect(() => pruned(drafted, kept)).toThrow(
      /is Q4_0, which safetensors has not; the file streams as it is/,
    );
  });

  test('twice: the numbers stay those of the first model', async () => {
    const drafted = await fixture('qwen3_moe');
    const { expertLayers } = drafted;
    const first = await draftReshaped(
      pruned(
        drafted,
        expertLayers.map(() => [1, 3, 4, 6, 7]),
      ),
    );
    const second = await draftReshaped(
      pruned(
        first,
        expertLayers.map(() => [0, 2, 4]),
      ),
    );
    expect(second.numbers).toEqual({
      count: expertLayers[0]?.experts,
      ids: expertLayers.map(() => [1, 4, 7]),
    });
  });
});

test.each([
  [{ count: 8, ids: [[1, 2, 3]] }, /atomoe\.experts\.ids is .*; wanted \d+ lists of 3 different ids below 8/],
  [
    {
      count: 8,
      ids: [
        [1, 2, 8],
        [1, 2, 3],
      ],
    },
    /atomoe\.experts\.ids/,
  ],
  [
    {
      count: 8,
      ids: [
        [1, 2, 2],
        [1, 2, 3],
      ],
    },
    /atomoe\.experts\.ids/,
  ],
  [{ count: 0, ids: [] }, /atomoe\.experts\.count is 0/],
])('numbers %j are refused', async (experts, message) => {
  const drafted = await fixture('qwen3_moe');
  const model = pruned(
    drafted,
    drafted.expertLayers.map(() => [0, 1, 2]),
  );
  const changed = { ...model, config: { ...model.config, atomoe: { experts } } };
  await expect(draftReshaped(changed)).rejects.toThrow(message);
});
