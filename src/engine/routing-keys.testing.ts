/** A model with a router of product keys, each head of which chooses for itself. Not part of the library. */
import { describedModel, EXPERTS, HIDDEN, LAYER, LAYERS, VOCAB } from './described-model.testing.ts';
import { editedModel } from './edited-model.testing.ts';
import { uniform } from './talk/random.ts';

/** A square: one more than the model of the fixtures has. */
export const SQUARE = 9;
export const IDS = Array.from({ length: 21 }, (_, at) => (17 * at + 5) % VOCAB);

const SIDE = 3;
const SIZE = 6;
const HEADS = 3;

/** Three heads that choose two experts each, often the same. */
export const KEYS = {
  ...LAYER,
  experts: SQUARE,
  router: {
    score: {
      ...{ kind: 'productKeys', heads: HEADS },
      ...{ query: 'keys.{layer}.query', keysX: 'keys.{layer}.x', keysY: 'keys.{layer}.y' },
    },
    transform: [{ kind: 'softmax' }],
    select: { kind: 'topK', k: 2 },
  },
};

export const keysModel = async () =>
  editedModel(await describedModel(), {
    config: { num_experts: SQUARE },
    tensors: (tensors) => {
      const add = (name: string, seed: number, factor: number, ...shape: number[]) => {
        const count = shape.reduce((product, size) => product * size, 1);
        const values = Float32Array.from({ length: count }, (_, at) => factor * (uniform(seed, at) - 0.5));
        tensors.set(name, { dtype: 'F32', shape, bytes: new Uint8Array(values.buffer) });
      };
      for (let layer = 0; layer < LAYERS; layer += 1) {
        const mlp = `model.layers.${layer}.mlp`;
        add(`${mlp}.gate.weight`, 90 + layer, 1, SQUARE, HIDDEN);
        for (const part of ['gate', 'up', 'down']) {
          const { shape = [] } = tensors.get(`${mlp}.experts.0.${part}_proj.weight`) ?? {};
          add(`${mlp}.experts.${EXPERTS}.${part}_proj.weight`, 50 + layer, 0.3, ...shape);
        }
        add(`keys.${layer}.query`, 10 + layer, 0.5, HEADS * 2 * SIZE, HIDDEN);
        add(`keys.${layer}.x`, 20 + layer, 3, SIDE, SIZE);
        add(`keys.${layer}.y`, 30 + layer, 3, SIDE, SIZE);
      }
    },
  });
