/** Runs texts through a model by its references, and adds up what its experts do with them. */
import { AtomoeError, invariant } from '../../errors.ts';
import { noUse, type ExpertUse } from '../../experts/study/saliency.ts';
import { buildTrace, type RoutingTrace } from '../../experts/study/trace.ts';
import { runOnCpu, type CpuResources } from '../../graph/cpu.ts';
import {
  plainStep,
  type HostArray,
  type ModelGraph,
  type Node,
  type RouteOutputs,
} from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { loadOnCpu } from '../load/cpu-load.ts';
import type { Drafted } from '../load/planning.ts';

/** The values of a step's tensors: the reference keeps all of them. */
export type StepValues = (tensor: Tensor) => HostArray;

/** Sees each step after it has run. */
export type ObserveStep = (graph: ModelGraph, get: StepValues, tokens: number) => void;

/** How texts are run. */
export interface CalibrationOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (doneTokens: number, totalTokens: number) => void;
}

/** A model in memory, to run texts through. */
export class Calibration {
  readonly #drafted: Drafted;
  readonly #resources: CpuResources;

  private constructor(drafted: Drafted, resources: CpuResources) {
    this.#drafted = drafted;
    this.#resources = resources;
  }

  /**
   * Loads all weights as f32.
   *
   * @throws {AtomoeError} bad-file; non-finite; network and the like
   */
  static async open(drafted: Drafted): Promise<Calibration> {
    const { decode, experts, context, contextTokens } = drafted;
    return new Calibration(drafted, { ...(await loadOnCpu(decode, experts, context)), contextTokens });
  }

  /**
   * Runs each text by itself, in steps of a prompt's length: a longer one begins anew where a step ends.
   *
   * @param texts - token ids
   * @throws the signal's reason
   */
  async run(
    texts: readonly (readonly number[])[],
    observe: ObserveStep,
    { signal, onProgress }: CalibrationOptions = {},
  ): Promise<void> {
    const { prefill: graph, chunkTokens } = this.#drafted;
    const total = texts.reduce((sum, { length }) => sum + length, 0);
    let done = 0;
    for (const text of texts) {
      for (let from = 0; from < text.length; from += chunkTokens) {
        await new Promise((resume) => setTimeout(resume));
        signal?.throwIfAborted();
        const ids = Uint32Array.from(text.slice(from, from + chunkTokens));
        const step = plainStep(ids.length, 0);
        observe(
          graph,
          runOnCpu(graph, this.#resources, new Map(), step, new Map([[graph.ids, ids]])),
          ids.length,
        );
        onProgress?.((done += ids.length), total);
      }
    }
  }

  /**
   * The routes of texts as a trace, a step for each token, in whose ids an expert is a unit.
   *
   * @throws the signal's reason
   */
  async trace(
    texts: readonly (readonly number[])[],
    options: CalibrationOptions = {},
  ): Promise<RoutingTrace> {
    const { checkpoint, expertLayers, experts } = this.#drafted;
    const steps: number[][][] = [];
    await this.run(
      texts,
      ({ routes }, get, tokens) => {
        for (let token = 0; token < tokens; token += 1) {
          const ofLayer = ({ ids: { perToken: most }, ids, bank }: RouteOutputs) => {
            const chosen = new Set(get(ids).subarray(token * most, (token + 1) * most));
            return [...chosen].filter((id) => id < (expertLayers[bank]?.experts ?? 0));
          };
          steps.push(routes.map(ofLayer));
        }
      },
      options,
    );
    const head = {
      label: checkpoint.label,
      layers: expertLayers.length,
      units: Math.max(...expertLayers.map((layer) => layer.experts)),
      topK: Math.max(...expertLayers.map(({ most }) => most)),
      unitBytes: expertLayers.map(() => Math.ceil(experts?.expertSizeBytes ?? 0)),
    };
    return buildTrace({ ...head, prime: null, warmUp: 0 }, steps);
  }

  /**
   * What the experts of each layer do with texts.
   *
   * @throws {AtomoeError} unsupported-model - the model has no routed experts, or experts of a kind from outside; the signal's reason
   */
  async expertUse(
    texts: readonly (readonly number[])[],
    { observe, ...options }: CalibrationOptions & { readonly observe?: ObserveStep } = {},
  ): Promise<ExpertUse[]> {
    const { expertLayers, spec, checkpoint } = this.#drafted;
    const use = expertLayers.map(({ experts }) => noUse(experts));
    const scale = spec.residualMultiplier;
    await this.run(
      texts,
      (graph, get, tokens) => {
        observe?.(graph, get, tokens);
        for (const route of graph.routes) {
          const sums = use[route.bank];
          const node = expertsNode(graph, route, checkpoint.label);
          if (sums)
            addStep(
              sums,
              pairsOf(node, route, get, this.#resources, tokens),
              turnsOf(route, get, tokens, scale),
            );
        }
      },
      options,
    );
    return use;
  }
}

/** The node of a layer's routed experts. */
function expertsNode({ nodes }: ModelGraph, { ids, bank }: RouteOutputs, label: string): Node {
  const found = nodes.find(
    ({ io, reads }) => reads.includes(ids) && 'bank' in io && 'topK' in io && io.bank === bank,
  );
  invariant(found, () => `no node of the experts of bank ${bank}`);
  if (!found.run) return found;
  throw new AtomoeError(
    'unsupported-model',
    `${label}: its experts are of a kind from outside, whose single outputs are not known; wanted experts of Atomoe's own kinds`,
  );
}

/** The choices of a step, and the length of each chosen expert's output. */
interface Pairs {
  readonly topK: number;
  readonly ids: ArrayLike<number>; // [tokens, topK]
  readonly weights: ArrayLike<number>; // [tokens, topK]
  readonly lengths: Float64Array; // [tokens, topK]
}

/** Runs the experts of a layer once more, each pair of a token and an expert as a token with one expert of weight 1. */
function pairsOf(
  node: Node,
  route: RouteOutputs,
  get: StepValues,
  resources: CpuResources,
  tokens: number,
): Pairs {
  const { x, y } = node.io as { readonly x: Tensor; readonly y: Tensor };
  const topK = route.ids.perToken;
  const [ids, weights, inputs] = [get(route.ids), get(route.weights), get(x)];
  const pairs = tokens * topK;
  const hidden = x.perToken;
  const rows = new Float32Array(pairs * hidden);
  for (let pair = 0; pair < pairs; pair += 1) {
    const token = Math.floor(pair / topK);
    rows.set(inputs.subarray(token * hidden, (token + 1) * hidden), pair * hidden);
  }
  const given = new Map<Tensor, HostArray>([
    [x, rows],
    [route.ids, ids.slice(0, pairs)],
    [route.weights, new Float32Array(pairs).fill(1)],
  ]);
  const single = { ...node, io: { ...node.io, topK: 1 } };
  const outputs = runOnCpu({ nodes: [single] }, resources, new Map(), plainStep(pairs, 0), given)(y);
  const lengths = Float64Array.from({ length: pairs }, (_, pair) =>
    lengthOf(outputs.subarray(pair * hidden, (pair + 1) * hidden)),
  );
  return { topK, ids, weights, lengths };
}

/** How far the routed experts turn the stream of each token: max(0, 1 - cos(h, h + scale y)), [tokens]. */
function turnsOf({ around }: RouteOutputs, get: StepValues, tokens: number, scale: number): Float64Array {
  if (!around) {
    throw new AtomoeError(
      'unsupported-model',
      "the graph is of a family from outside, whose routes have no `around`; wanted one of Atomoe's decoder",
    );
  }
  const [stream, routed] = [get(around.stream), get(around.routed)];
  const hidden = around.stream.perToken;
  return Float64Array.from({ length: tokens }, (_, token) => {
    const before = stream.subarray(token * hidden, (token + 1) * hidden);
    const after = Float64Array.from(before, (h, i) => h + scale * (routed[token * hidden + i] ?? 0));
    let product = 0;
    before.forEach((h, i) => (product += h * (after[i] ?? 0)));
    const lengths = lengthOf(before) * lengthOf(after);
    return lengths === 0 ? 0 : Math.max(0, 1 - product / lengths);
  });
}

function lengthOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += (values[i] ?? 0) ** 2;
  return Math.sqrt(sum);
}

/** Adds the choices of a step; an id that is none of the experts stands for none. */
function addStep({ uses, weighed, turned }: ExpertUse, pairs: Pairs, turns: Float64Array): void {
  const { topK, ids, weights, lengths } = pairs;
  lengths.forEach((length, pair) => {
    const expert = ids[pair] ?? uses.length;
    if (expert >= uses.length) return;
    const size = (weights[pair] ?? 0) * length;
    uses[expert] = (uses[expert] ?? 0) + 1;
    weighed[expert] = (weighed[expert] ?? 0) + size;
    turned[expert] = (turned[expert] ?? 0) + size * (turns[Math.floor(pair / topK)] ?? 0);
  });
}
