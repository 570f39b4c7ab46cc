/** The routes of described routers in a model equal those of each layer alone on the same hidden states. */
import { describe, expect, test } from 'vitest';
import type { HostTensor } from '../blocks/described/tensors.ts';
import {
  describedModel,
  HIDDEN,
  layerAlone,
  layerRuns,
  LAYER,
  LAYERS,
  OF_EARLIER,
  OF_PROMPT,
  RANDOM,
  OWN,
  RECURRENT,
  type LayerRun,
} from './described-model.testing.ts';
import type { Graph } from '../graph/node.ts';
import { draftModel } from './load/planning.ts';
import { editedModel, rename } from './edited-model.testing.ts';
import { largestError } from './testing.ts';

const folder = await describedModel();
const IDS = Array.from({ length: 21 }, (_, at) => (17 * at + 5) % 96);

/** Expects the routes of a layer to be those of the layer file runner. @returns its state after the layer */
async function expectAlone(
  run: LayerRun,
  router: object,
  request: Readonly<Record<string, HostTensor>> = {},
) {
  const alone = await layerAlone(folder, { ...LAYER, router }, run, request);
  expect([...run.ids]).toEqual([...(alone['ids.0'] ?? [])]);
  expect(largestError(run.weights, alone['weights.0'] ?? [])).toBe(0);
  return alone['state'];
}

describe('a state over layers', () => {
  test('goes from each layer with experts to the next, for every token', async () => {
    const runs = await layerRuns(folder, { ...LAYER, router: RECURRENT }, IDS);
    expect(runs.length).toBe(LAYERS);
    let state: HostTensor | undefined;
    for (const run of runs) {
      const next = await expectAlone(run, RECURRENT, state && { previousState: state });
      expect(largestError(next ?? [], state?.values ?? new Float32Array(next?.length ?? 0))).toBeGreaterThan(
        0.1,
      );
      state = { shape: [IDS.length, RECURRENT.state.size], values: Float32Array.from(next ?? []) };
    }
  });

  test('passes layers with routers of their own', async () => {
    const routing = (layer: number) => (layer === 1 ? undefined : { ...LAYER, router: RECURRENT });
    const runs = await layerRuns(folder, routing, IDS);
    const [first, own, last] = runs;
    if (!first || !own || !last) throw new Error('three layers');
    const state = Float32Array.from((await expectAlone(first, RECURRENT)) ?? []);
    await expectAlone(own, OWN);
    await expectAlone(last, RECURRENT, {
      previousState: { shape: [IDS.length, RECURRENT.state.size], values: state },
    });
  });
});

test('matrices that layers share are in memory once, also where layers ahead are predicted', async () => {
  const drafted = await draftModel(folder, { routing: { ...LAYER, router: RECURRENT } });
  const { size } = RECURRENT.state;
  for (const { weights } of [drafted.decode, drafted.prefill]) {
    const sized = (rows: number, cols: number) =>
      weights.filter((each) => each.rows === rows && each.cols === cols);
    expect(sized(3 * size, size).length).toBe(2); // of the input and of the state
    expect(sized(size, HIDDEN).length).toBe(LAYERS);
  }
  const names = (graph: Pick<Graph, 'weights'>) => graph.weights.map(({ name }) => name).toSorted();
  expect(names(drafted.decode)).toEqual(names(drafted.prefill));
  drafted.checkpoint.dispose();
});

test.each(Object.entries({ ...OF_EARLIER, ...OF_PROMPT, 'random experts': RANDOM }))(
  '%s',
  async (_, router) => {
    const runs = await layerRuns(folder, { ...LAYER, router }, IDS);
    expect(runs.length).toBe(LAYERS);
    for (const run of runs) await expectAlone(run, router);
  },
);

describe('a decision of the model', () => {
  const router = { ...OWN, scope: { decision: 'model' } };

  test('is made by the first layer and holds in all', async () => {
    const [first, ...others] = await layerRuns(folder, { ...LAYER, router }, IDS);
    if (!first) throw new Error('no layers');
    await expectAlone(first, router);
    expect(others.length).toBe(LAYERS - 1);
    for (const { ids, weights } of others) {
      expect([...ids]).toEqual([...first.ids]);
      expect([...weights]).toEqual([...first.weights]);
    }
  });

  test('is made by the first layer that has the description', async () => {
    const routing = [undefined, { ...LAYER, router }, { ...LAYER, router }];
    const [own, first, last] = await layerRuns(folder, routing, IDS);
    if (!own || !first || !last) throw new Error('three layers');
    await expectAlone(own, OWN);
    await expectAlone(first, router);
    expect([...last.ids]).toEqual([...first.ids]);
    expect([...last.ids]).not.toEqual([...own.ids]);
  });
});

test('tensors of a description within layers are not left over', async () => {
  const inLayers = await editedModel(folder, {
    tensors: (tensors) => {
      for (let layer = 0; layer < LAYERS; layer += 1)
        rename(tensors, new RegExp(`^routing\\.${layer}\\.score`), `model.layers.${layer}.mlp.score`);
    },
  });
  const score = { kind: 'linear', weight: 'model.layers.{layer}.mlp.score' };
  const own = await layerRuns(folder, { ...LAYER, router: RECURRENT }, IDS);
  const runs = await layerRuns(inLayers, { ...LAYER, router: { ...RECURRENT, score } }, IDS);
  expect(runs.map(({ ids }) => [...ids])).toEqual(own.map(({ ids }) => [...ids]));
});
