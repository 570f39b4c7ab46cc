/** The routing of described layers against the known answers, on the GPU, as software and as hardware, and on the reference. */
import { afterAll, describe, expect, test } from 'vitest';
import { slice } from '../../gpu/buffer.ts';
import { Gpu } from '../../gpu/device.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { runOnCpu } from '../../graph/cpu.ts';
import { plainStep, type HostArray } from '../../graph/node.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import { Plan, wholeWeight } from '../../graph/plan.ts';
import type { Tensor, Weight } from '../../graph/tensor.ts';
import { expectClose, testGpu } from '../../kernels/testing.ts';
import { addRouting } from './routing.ts';
import type { RequestShape } from './routing-site.ts';
import type { HooksDescription, RoutingDescription } from './stages.ts';

const software = await testGpu();
const hardware = await Gpu.open({ features: ['subgroups'], adapterClass: 'hardware' });
afterAll(() => hardware.dispose());

/** What the descriptions of these files have besides routing. */
interface LayerFile {
  readonly description: {
    readonly experts: number;
    readonly most: number;
    readonly hiddenSize: number;
    readonly hooks?: HooksDescription;
    readonly router: RoutingDescription & {
      readonly score: {
        readonly kind: string;
        readonly weight: string;
        readonly bias?: string;
        readonly name: string;
      };
      readonly nullWeight?: string;
      readonly input?: { readonly parts: readonly { readonly from: string; readonly tensor: string }[] };
    };
  };
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: HostArray }>;
}

async function readLayer(name: string): Promise<LayerFile> {
  const response = await fetch(`/fixtures/routing/${name}.safetensors`);
  const bytes = await response.arrayBuffer();
  const size = Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, size))) as Record<
    string,
    { dtype: 'F32' | 'I32'; shape: number[]; data_offsets: [number, number] }
  >;
  const { __metadata__: metadata, ...entries } = header;
  const text = (metadata as unknown as Record<string, string>)['atomoe.layer']!;
  const tensors = Object.entries(entries).map(
    ([
      key,
      {
        dtype,
        shape,
        data_offsets: [start, end],
      },
    ]) => {
      const part = bytes.slice(8 + size + start, 8 + size + end);
      return [
        key,
        { shape, values: dtype === 'F32' ? new Float32Array(part) : new Uint32Array(part) },
      ] as const;
    },
  );
  return { description: JSON.parse(text) as LayerFile['description'], tensors: new Map(tensors) };
}

/** A graph of a file's routing, with the values of its inputs and weights. */
class LayerGraph {
  readonly #file: LayerFile;
  readonly builder = new GraphBuilder();
  readonly inputs = new Map<Tensor, HostArray>();
  readonly tokens: number;

  constructor(file: LayerFile) {
    this.#file = file;
    this.tokens = this.#values('x').length / file.description.hiddenSize;
  }

  build() {
    const { description, tensors } = this.#file;
    const { router, experts, most, hooks } = description;
    const offsets = tensors.get('sequenceOffsets')?.values;
    const sequences = () =>
      offsets && {
        offsets: this.#input('sequenceOffsets', { type: 'u32', fixed: offsets.length }),
        count: offsets.length - 1,
      };
    return addRouting(
      {
        builder: this.builder,
        label: 'layer',
        ...{ experts, most, sequences },
        scores: this.#scores(experts + (router.nullExperts ?? 0)),
        layer: (reference) => () => Float32Array.from(this.#values(reference as string)),
        request: (name, shape) => this.#input(name, shape),
        links: (name) => this.#input(name, { type: 'f32', perToken: this.tokens }),
        ofTokenId: (reference, type, width) => this.#ofTokenId(reference as string, type, width),
        ofHidden: (weight) => {
          const [hidden, rows] = [this.#values('x'), this.#values(weight as string)];
          const width = description.hiddenSize;
          const values = Array.from({ length: this.tokens * experts }, (_, at) => {
            const [t, e] = [Math.floor(at / experts), at % experts];
            let sum = 0;
            for (let i = 0; i < width; i += 1) sum += hidden[t * width + i]! * rows[e * width + i]!;
            return 1 / (1 + Math.exp(-sum)); // the only activation of these files
          });
          return this.#input('of hidden', { type: 'f32', perToken: experts }, values);
        },
      },
      router,
      hooks ? { hooks } : {},
    );
  }

  /** The scores: of a linear router by the graph, others as the file or the request has them. */
  #scores(scored: number): Tensor {
    const { description, tensors } = this.#file;
    const { score, nullWeight } = description.router;
    const own = { type: 'f32', perToken: scored } as const;
    if (tensors.has('expected.scores')) return this.#input('expected.scores', own);
    if (score.kind === 'caller') return this.#input(score.name, own);
    if (score.kind === 'zero') return this.#input('zero', own, Array<number>(this.tokens * scored).fill(0));
    const cols = tensors.get(score.weight)!.shape[1]!;
    const width = 4 * Math.ceil(cols / 4); // products read four columns at once
    const x = this.#routerInput(cols, width);
    const y = this.builder.tensor('scores', { type: 'f32', perToken: scored });
    const weight = this.builder.computed('router', scored, width, () => {
      const rows = [...this.#values(score.weight), ...(nullWeight ? this.#values(nullWeight) : [])];
      return padded(rows, cols, width);
    });
    const bias = score.bias
      ? this.builder.computed('bias', scored, 1, () => Float32Array.from(this.#values(score.bias!)))
      : undefined;
    this.builder.add(linearNode('router', { x, weight, bias, y }));
    return y;
  }

  /** What the router reads: the hidden state, or rows of a table. */
  #routerInput(cols: number, width: number): Tensor {
    const [part] = this.#file.description.router.input?.parts ?? [];
    const table = part?.from === 'tokenTable' ? this.#values(part.tensor) : undefined;
    const rows = table
      ? [...this.#values('tokenIds')].flatMap((id) => [...table.subarray(id * cols, (id + 1) * cols)])
      : [...this.#values('x')];
    return this.#input('router input', { type: 'f32', perToken: width }, padded(rows, cols, width));
  }

  #ofTokenId(table: string, type: 'f32' | 'u32', width: number): Tensor {
    const rows = this.#values(table);
    const values = [...this.#values('tokenIds')].flatMap((id) => [
      ...rows.subarray(id * width, (id + 1) * width),
    ]);
    return this.#input(`${table} of tokens`, { type, perToken: width }, values);
  }

  #values(name: string): HostArray {
    const found = this.#file.tensors.get(name);
    if (!found) throw new Error(`the file has no ${name}`);
    return found.values;
  }

  #input(name: string, shape: RequestShape, values: ArrayLike<number> = this.#values(name)): Tensor {
    const tensor = this.builder.tensor(name, { ...shape, role: 'input' });
    this.inputs.set(tensor, shape.type === 'u32' ? Uint32Array.from(values) : Float32Array.from(values));
    return tensor;
  }
}

/** Rows of `cols` numbers, followed by zeros up to `width`. */
function padded(rows: readonly number[], cols: number, width: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array((rows.length / cols) * width);
  rows.forEach((value, at) => (values[Math.floor(at / cols) * width + (at % cols)] = value));
  return values;
}

const computed = ({ name, source }: Weight): Float32Array<ArrayBuffer> => {
  if (source.kind !== 'computed') throw new Error(`${name} is not computed`);
  return source.values();
};

async function onGpu(gpu: Gpu, graph: LayerGraph, outputs: readonly Tensor[]): Promise<HostArray[]> {
  const built = graph.builder.buildPart();
  const held: { dispose(): void }[] = [];
  const weights = new Map(
    built.weights.map((weight) => {
      const values = computed(weight);
      const buffer = gpu.createBuffer({ label: weight.name, sizeBytes: values.byteLength, kind: 'weights' });
      gpu.write(buffer, 0, values);
      held.push(buffer);
      return [weight, wholeWeight(slice(buffer), weight, 'f32', 0)] as const;
    }),
  );
  const options = {
    label: 'layer',
    maxTokens: graph.tokens,
    contextTokens: graph.tokens,
    scalar: 'f32',
  } as const;
  const resources = { weight: (weight: Weight) => weights.get(weight)!, experts: undefined };
  const plan = await Plan.open(gpu, built, resources, { ...options, tuning: new Map() });
  held.push(plan);
  for (const [tensor, values] of graph.inputs) gpu.write(plan.buffer(tensor), 0, values.slice());
  plan.instance(new Map()).run(plainStep(graph.tokens, 0));
  const results: HostArray[] = [];
  for (const tensor of outputs) {
    const bytes = await gpu.read(plan.buffer(tensor));
    const count = tensor.perToken * graph.tokens;
    results.push(
      tensor.type === 'u32' ? new Uint32Array(bytes, 0, count) : new Float32Array(bytes, 0, count),
    );
  }
  for (const each of held.reverse()) each.dispose();
  return results;
}

function onReference(graph: LayerGraph, outputs: readonly Tensor[]): HostArray[] {
  const resources = { weight: computed, experts: undefined, contextTokens: graph.tokens };
  const get = runOnCpu(
    graph.builder.buildPart(),
    resources,
    new Map(),
    plainStep(graph.tokens, 0),
    graph.inputs,
  );
  return outputs.map(get);
}

/** Files whose routing the nodes run: scores are linear, or those of the file or the request. */
const FILES = `
  alias attention-experts block-scaled caller-scores capacity-drop capacity-reroute-fill compressed dense-gate
  enforced-ids entropy-top-p expert-choice expert-choice-among film hook-bias hook-mask hook-ranks hook-replay
  hook-steer-hard hook-steer-soft importance-k index-sets interpolate-top-1 largest-as-shared latent lora-modality
  lora-ranks lora-shards low-rank-plus-sparse mixed-bits module-choice nested-bits normalised-sigmoid-shared-gate
  null-experts one-token patch-choice prototyping ratio-skip relu score-analytic score-attention
  score-attention-constant-value score-codebook score-cosine score-gaussian-mixture score-hypernetwork score-mixture
  score-multi-query score-perceptron score-prototype-condition score-self-activation score-sparsity score-token-graph
  shared-banks shared-router sigmoid-bias-groups sinkhorn softmax-groups-max softmax-top-k softmax-top-k-renormalised
  sparse-attention switch-top-1 ternary threshold-skip ties token-table-centroids token-table-ids token-table-mask
  top-k-softmax top-p
`
  .trim()
  .split(/\s+/);

describe.each(FILES)('%s', (name) => {
  test.each([
    ['the reference', async (graph: LayerGraph, outputs: readonly Tensor[]) => onReference(graph, outputs)],
    ['a GPU as software', (graph: LayerGraph, outputs: readonly Tensor[]) => onGpu(software, graph, outputs)],
    ['a GPU as hardware', (graph: LayerGraph, outputs: readonly Tensor[]) => onGpu(hardware, graph, outputs)],
  ] as const)('on %s', async (_where, run) => {
    const file = await readLayer(name);
    const graph = new LayerGraph(file);
    const routes = graph.build();
    const [ids, weights] = await run(graph, [routes.ids, routes.weights]);
    expect([...ids!]).toEqual([...file.tensors.get('expected.ids')!.values]);
    expectClose(weights!, file.tensors.get('expected.weights')!.values, { absolute: 1e-5, relative: 0 });
  });
});

test.each([['mask-router', 'router.select.drop.0: a mask network']])(
  '%s is refused by its path',
  async (name, message) => {
    const file = await readLayer(name);
    expect(() => new LayerGraph(file).build()).toThrow(message);
  },
);
