/** A model with tensors for described routers, and the routes of its layers beside those of each layer alone. Not part of the library. */
import { buildDescribed } from '../blocks/described/layer.ts';
import { LayerTensors, type HostTensor } from '../blocks/described/tensors.ts';
import type { FolderSource } from '../io/source.ts';
import { parseLayer } from '../models/layer/layer.ts';
import type { HostArray } from '../graph/node.ts';
import type { Tensor } from '../graph/tensor.ts';
import { editedModel } from './edited-model.testing.ts';
import type { LayerRouting, TokenRoutes } from './api.ts';
import { draftModel } from './load/planning.ts';
import { Calibration } from './reshape/calibrate.ts';
import { runDescribedOnCpu, type DescribedOutputs } from './run/described-runner.ts';
import type { StepTensors } from './run/given-tensors.ts';
import type { Runner, RunnerState } from './run/runner.ts';
import { uniform } from './talk/random.ts';
import { repositoryFolder } from './testing.ts';

export const HIDDEN = 64;
export const EXPERTS = 8;
export const LAYERS = 3;
export const VOCAB = 96;

/** What all descriptions for the model have. */
export const LAYER = { format: 'atomoe.layer', version: 1, hiddenSize: HIDDEN, experts: EXPERTS };

/** The router of the model itself. */
export const OWN = {
  score: { kind: 'linear', weight: 'model.layers.{layer}.mlp.gate.weight' },
  transform: [{ kind: 'softmax' }],
  select: { kind: 'topK', k: 2 },
};

const SIZE = 12;

/** Columns of what a request says of the language of a token. */
export const LANGUAGE = 4;

/** A recurrent router (RMoE): one GRU for all layers, and a projection and a score of each. */
export const RECURRENT = {
  ...OWN,
  score: { kind: 'linear', weight: 'routing.{layer}.score' },
  state: {
    kind: 'gru',
    name: 'routerState',
    size: SIZE,
    project: 'routing.{layer}.project',
    inputWeights: 'routing.input',
    hiddenWeights: 'routing.hidden',
    inputBias: 'routing.inputBias',
    hiddenBias: 'routing.hiddenBias',
  },
};

/** Rules whose decisions depend on earlier tokens too, by what they see. */
export const OF_EARLIER = {
  'segments of 4 tokens, by the first': {
    ...OWN,
    scope: { unit: 'segment', segmentLength: 4, pool: 'first', sees: 'prefix' },
  },
  'the first token of the sequence': {
    ...OWN,
    scope: { unit: 'sequence', pool: 'first', decision: 'prompt', sees: 'prompt' },
  },
  'experts with room for 4 tokens': { ...OWN, capacity: { tokensPerExpert: 4 }, scope: { sees: 'prefix' } },
} as const;

/** Experts by a seed and the position (THOR), with the random scores as weights. */
export const RANDOM = {
  score: { kind: 'random', seed: 7, layer: 3 },
  select: { kind: 'topK', k: 2 },
  weigh: { normalise: 'sum' },
};

/** Rules that decide once, from a whole prompt. */
export const OF_PROMPT = {
  'the mean of the prompt': {
    ...OWN,
    scope: { unit: 'sequence', pool: 'mean', decision: 'prompt', sees: 'prompt' },
  },
  'the last token of the prompt': { ...OWN, scope: { unit: 'sequence', pool: 'last', sees: 'prompt' } },
} as const;

/** The random OLMoE of the fixtures, with tensors of a recurrent router and a table by token. */
export async function describedModel(): Promise<FolderSource> {
  return editedModel(await repositoryFolder('fixtures/models/olmoe'), {
    tensors: (tensors) => {
      let seed = 0;
      const add = (name: string, factor: number, ...shape: number[]) => {
        seed += 1;
        const count = shape.reduce((product, size) => product * size, 1);
        let at = 0;
        const values = Float32Array.from({ length: count }, () => factor * 3.5 * (uniform(seed, at++) - 0.5)); // deviation 1
        tensors.set(name, { dtype: 'F32', shape, bytes: new Uint8Array(values.buffer) });
      };
      for (let layer = 0; layer < LAYERS; layer += 1) {
        add(`routing.${layer}.project`, 0.3, SIZE, HIDDEN);
        add(`routing.${layer}.score`, 2, EXPERTS, SIZE);
      }
      add('routing.input', 1, 3 * SIZE, SIZE);
      add('routing.hidden', 1, 3 * SIZE, SIZE);
      add('routing.inputBias', 0.5, 3 * SIZE);
      add('routing.hiddenBias', 0.5, 3 * SIZE);
      const chosen = Float32Array.from({ length: 2 * VOCAB }, (_, at) => (5 * at + (at >> 3)) % EXPERTS);
      tensors.set('routing.idTable', {
        dtype: 'F32',
        shape: [VOCAB, 2],
        bytes: new Uint8Array(chosen.buffer),
      });
      const twice = new Float32Array(2 * VOCAB).fill(3);
      tensors.set('routing.twice', { dtype: 'F32', shape: [VOCAB, 2], bytes: new Uint8Array(twice.buffer) });
      for (const name of ['X', 'Y']) add(`routing.keys${name}`, 1, 4, 6);
      add('routing.query', 0.3, 24, HIDDEN);
      add('routing.wide', 0.3, EXPERTS, HIDDEN + LANGUAGE);
    },
  });
}

/** What one layer's router read and decided for all tokens of a text. */
export interface LayerRun {
  readonly layer: number;
  readonly x: Float32Array<ArrayBuffer>; // [tokens, hidden]
  readonly ids: HostArray; // [tokens, most]
  readonly weights: HostArray; // [tokens, most]
}

/** The routers of a model with descriptions, by the reference, in one step. */
export async function layerRuns(
  folder: FolderSource,
  routing: LayerRouting,
  ids: readonly number[],
): Promise<LayerRun[]> {
  const drafted = await draftModel(folder, { routing });
  const runs: LayerRun[] = [];
  try {
    const calibration = await Calibration.open(drafted);
    await calibration.run([ids], ({ nodes, routes }, get) => {
      for (const route of routes) {
        const experts = nodes.find(
          ({ io, reads }) => reads.includes(route.ids) && 'bank' in io && io.bank === route.bank,
        );
        if (!experts) throw new Error(`no experts of bank ${route.bank}`);
        const { x } = experts.io as { readonly x: Tensor };
        runs.push({
          layer: route.specLayer,
          x: Float32Array.from(get(x)),
          ids: get(route.ids).slice(),
          weights: get(route.weights).slice(),
        });
      }
    });
  } finally {
    drafted.checkpoint.dispose();
  }
  return runs;
}

/** What the runner of layer files gives for a layer's router on the same hidden states. */
export async function layerAlone(
  folder: FolderSource,
  description: object,
  { layer, x }: Pick<LayerRun, 'layer' | 'x'>,
  request: Readonly<Record<string, HostTensor>> = {},
): Promise<DescribedOutputs> {
  const { checkpoint } = await draftModel(folder, { routing: { ...LAYER, ...description, router: OWN } });
  const named = new Map<string, HostTensor>(Object.entries(request));
  for (const name of checkpoint.names()) {
    const shape = checkpoint.tensor(name)?.shape ?? [];
    named.set(name, { shape, values: await checkpoint.readF32(name) });
  }
  checkpoint.dispose();
  const text = JSON.stringify(description).replaceAll('{layer}', String(layer));
  const tokens = x.length / HIDDEN;
  const widths = new Map([...named].map(([name, { shape }]) => [name, shape.at(-1) ?? 1]));
  const built = buildDescribed(parseLayer(JSON.parse(text)), new LayerTensors('the model', named), {
    ...{ tokens, sequences: 0, widths },
  });
  const inputs = new Map<Tensor, HostArray>([[built.x, x]]);
  for (const { name, tensor } of built.inputs)
    inputs.set(tensor, valuesOf(tensor, named.get(name)?.values ?? new Float32Array()));
  return runDescribedOnCpu(built, inputs, tokens);
}

function valuesOf({ type }: Tensor, values: Float32Array): HostArray {
  return type === 'u32' ? Uint32Array.from(values) : values;
}

/** The chosen experts of each token in each layer, without pads. */
export function idsByToken(runs: readonly LayerRun[], tokens: number): number[][][] {
  return Array.from({ length: tokens }, (_, token) =>
    runs.map(({ ids }) => {
      const most = ids.length / tokens;
      return [...ids.subarray(token * most, (token + 1) * most)].filter((id) => id < EXPERTS);
    }),
  );
}

/** What steps gave. */
export interface StepsRun {
  readonly logits: Float32Array<ArrayBuffer>; // of the last token of each step
  readonly routes: readonly TokenRoutes[]; // of all tokens
}

const REQUEST = { penalty: 1, temperature: 1, candidates: false, routes: false };

/** Runs tokens in steps of these lengths, behind `past` tokens. */
export async function runSteps(
  runner: Runner,
  state: RunnerState,
  ids: readonly number[],
  {
    lengths,
    past = 0,
    given,
  }: {
    readonly lengths: readonly number[];
    readonly past?: number;
    readonly given?: StepTensors | undefined;
  },
): Promise<StepsRun> {
  const rows: number[] = [];
  const routes: TokenRoutes[] = [];
  let at = past;
  for (const length of lengths) {
    const request = { ...REQUEST, given, ids: ids.slice(at, at + length), past: at };
    const step = await runner.step(state, request);
    rows.push(...(await step.logits()));
    routes.push(...(await runner.trace(state)));
    at += length;
  }
  return { logits: Float32Array.from(rows), routes };
}
