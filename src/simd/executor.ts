/** Runs a graph in WebAssembly, node by node; an op without a kernel runs by its reference. */
import { invariant } from '../errors.ts';
import { yieldToEventLoop } from '../graph/event-loop.ts';
import type { CpuExpertWeights } from '../graph/experts.ts';
import { colour, tensorSizeBytes, type Life } from '../graph/liveness.ts';
import type { Graph, HostArray, Node, RunContext, Step } from '../graph/node.ts';
import { runReference } from '../graph/references.ts';
import { elementCount, type Tensor, type Weight } from '../graph/tensor.ts';
import { decodeMatrix, matrixLayout } from '../weights/matrix.ts';
import { unpackRecord } from '../weights/record.ts';
import type { Address } from './kernels.ts';
import type { SimdMemory } from './memory.ts';
import { SIMD_OPS } from './ops/index.ts';
import type { SimdExperts, SimdRun, SimdWeight, Work } from './run.ts';
import type { Scratch } from './scratch.ts';

/** What the graphs of a model share. */
export interface SimdResources {
  readonly main: SimdMemory;
  readonly contextTokens: number;
  readonly int8: boolean; // lossy: activations of 8 bits for quantised weights
  readonly weight: (weight: Weight) => SimdWeight;
  readonly experts: SimdExperts | undefined;
  readonly scratch: Scratch;
}

/** Where a session's states are in the main memory, by tensor name. */
export type SimdStates = ReadonlyMap<string, Address>;

/** Lets other work in after so long, so that an abort takes effect. */
const YIELD_MS = 20;

/** Multiply-adds of one call: some milliseconds. */
const CALL_MULTIPLY_ADDS = 2 ** 23;

/** Less than this is done sooner alone: a thread takes some microseconds to wake. */
const SHARED_MULTIPLY_ADDS = 2 ** 17;

/** Each thread takes this many chunks of a job, about: a late thread does fewer. */
const CHUNKS_EACH = 4;

/** Runs one graph; its tensors have fixed places in the main memory. */
export class SimdExecutor<G extends Graph> {
  readonly graph: G;
  readonly sizeBytes: number;
  readonly #resources: SimdResources;
  readonly #maxTokens: number;
  readonly #base: Address;
  readonly #offsets: ReadonlyMap<Tensor, number>;
  readonly #decoded = new Map<string, Float32Array>(); // weights that references read
  readonly #byReference = new Set<string>();
  #yieldedMs = 0; // also in an earlier step: replies are many short ones

  /** @param maxTokens - of one step */
  constructor(graph: G, resources: SimdResources, maxTokens: number) {
    this.graph = graph;
    this.#resources = resources;
    this.#maxTokens = maxTokens;
    const { offsets, sizeBytes } = placeTensors(graph, maxTokens);
    this.#offsets = offsets;
    this.sizeBytes = sizeBytes;
    this.#base = resources.main.alloc(sizeBytes);
  }

  /** Ops that have run by their reference so far. */
  get byReference(): readonly string[] {
    return [...this.#byReference];
  }

  /**
   * Runs one step. What it writes is in memory until the next one.
   *
   * @throws {AtomoeError} network and the like, where experts had to be read; the signal's reason
   */
  async run(step: Step, ids: readonly number[], states: SimdStates, signal?: AbortSignal): Promise<void> {
    invariant(step.tokens <= this.#maxTokens, () => `a step of ${step.tokens} tokens`);
    const run = this.#context(step, states, signal);
    run.words(this.graph.ids).set(ids);
    for (const node of this.graph.nodes) {
      if (node.isNeeded && !node.isNeeded(step)) continue;
      const running = this.#runNode(node, run, states);
      if (running) await running;
      if (this.#isDue()) await this.#yield(signal);
    }
  }

  /** Sets the values of an input before a step. */
  write(tensor: Tensor, values: HostArray): void {
    const { main } = this.#resources;
    if (values instanceof Uint32Array) main.words(this.#at(tensor), values.length).set(values);
    else main.floats(this.#at(tensor), values.length).set(values);
  }

  /** A copy of a tensor's values after a step. */
  floats(tensor: Tensor, tokens: number): Float32Array<ArrayBuffer> {
    return this.#resources.main.floats(this.#at(tensor), elementCount(tensor, tokens)).slice();
  }

  /** A copy of a u32 tensor's values after a step. */
  words(tensor: Tensor, tokens: number): Uint32Array<ArrayBuffer> {
    return this.#resources.main.words(this.#at(tensor), elementCount(tensor, tokens)).slice();
  }

  dispose(): void {
    this.#resources.main.free(this.#base, this.sizeBytes);
  }

  #runNode(node: Node, run: SimdRun, states: SimdStates): void | Promise<void> {
    const { scratch } = this.#resources;
    scratch.reset();
    const row = SIMD_OPS[node.op];
    const hasKernels = row?.needs.every((name) => name in run.main.kernels);
    const byReference = () => {
      this.#byReference.add(node.op);
      runReference(node, this.#reference(run, states));
    };
    return row && hasKernels ? row.op({ ...run, byReference }, node.io) : byReference();
  }

  #context(step: Step, states: SimdStates, signal: AbortSignal | undefined): SimdRun {
    const { main, experts, weight, scratch, int8 } = this.#resources;
    const at = (tensor: Tensor): Address => {
      if (tensor.role !== 'state') return this.#at(tensor);
      const found = states.get(tensor.name);
      invariant(found !== undefined, () => `no state ${tensor.name}`);
      return found;
    };
    return {
      step,
      int8,
      main,
      experts,
      signal,
      weight,
      at,
      floats: (tensor) => main.floats(at(tensor), elementCount(tensor, step.tokens)),
      words: (tensor) => main.words(at(tensor), elementCount(tensor, step.tokens)),
      exactAt: (each) => {
        const found = weight(each);
        const [part] = found.parts;
        invariant(part && found.memory === main, () => `${each.name} is not in the main memory`);
        return part.at;
      },
      scratch: (memory, sizeBytes) => scratch.take(memory, sizeBytes),
      split: (each) => this.#split(each, signal),
      byReference: () => invariant(false, () => 'no node'),
    };
  }

  #split({ kernel, args, ...work }: Work, signal: AbortSignal | undefined): void | Promise<void> {
    const { count, unit, multiplyAdds, scratchBytes } = work;
    const { memory, name, call } = kernel;
    const threads = memory.threads?.count ?? 1;
    const scratchArgument = args.findIndex(Number.isNaN);
    const list = [...args];
    if (scratchArgument >= 0)
      list[scratchArgument] = this.#resources.scratch.ofKernel(memory, threads * scratchBytes);
    const compute = (first: number, end: number): void => {
      const pool = (end - first) * multiplyAdds >= SHARED_MULTIPLY_ADDS ? memory.threads : undefined;
      const whole = (from: number, to: number) => call(...list, from, to);
      if (!pool) return whole(first, end);
      const chunk = Math.max(1, Math.ceil((end - first) / (threads * CHUNKS_EACH) / unit)) * unit;
      const job = {
        ...memory.names(name),
        args: list,
        scratchArgument,
        scratchBytes,
        first,
        end,
        unit: chunk,
      };
      if (!pool.run(job, whole)) whole(first, end);
    };
    const units = Math.max(1, Math.floor((threads * CALL_MULTIPLY_ADDS) / (multiplyAdds * unit)));
    const most = units * unit;
    const next = (from: number): void | Promise<void> => {
      for (let first = from; first < count; first += most) {
        compute(first, Math.min(count, first + most));
        if (first + most < count && this.#isDue()) {
          return this.#yield(signal).then(() => next(first + most));
        }
      }
    };
    return next(0);
  }

  #isDue(): boolean {
    return performance.now() - this.#yieldedMs > YIELD_MS;
  }

  async #yield(signal: AbortSignal | undefined): Promise<void> {
    await yieldToEventLoop();
    this.#yieldedMs = performance.now();
    signal?.throwIfAborted();
  }

  /** The step as references see it: views of the memory, and weights as f32. */
  #reference(run: SimdRun, states: SimdStates): RunContext {
    const { contextTokens, experts } = this.#resources;
    return {
      step: run.step,
      contextTokens,
      experts: experts && decodedExperts(experts),
      floats: (tensor) => run.floats(tensor),
      words: (tensor) => run.words(tensor),
      put: (tensor, values) => {
        invariant(tensor.role !== 'state' || states.has(tensor.name), () => `no state ${tensor.name}`);
        if (values instanceof Uint32Array) run.words(tensor).set(values);
        else run.floats(tensor).set(values);
      },
      weight: (weight) => this.#decode(weight),
    };
  }

  #decode(weight: Weight): Float32Array {
    let found = this.#decoded.get(weight.name);
    if (!found) {
      const { memory, parts } = this.#resources.weight(weight);
      const { cols } = weight;
      found = new Float32Array(weight.rows * cols);
      for (const { firstRow, rows, format, at } of parts) {
        const { sizeBytes } = matrixLayout(format, rows, cols);
        const bytes = memory.bytes.slice(at, at + sizeBytes);
        found.set(decodeMatrix(format, bytes, rows, cols), firstRow * cols);
      }
      this.#decoded.set(weight.name, found);
    }
    return found;
  }

  #at(tensor: Tensor): Address {
    const found = this.#offsets.get(tensor);
    invariant(found !== undefined, () => `${tensor.name} has no place`);
    return this.#base + found;
  }
}

/** Gives every tensor but states a place; those that are never needed at once may share one. */
function placeTensors(
  graph: Graph,
  maxTokens: number,
): { readonly offsets: ReadonlyMap<Tensor, number>; readonly sizeBytes: number } {
  const offsets = new Map<Tensor, number>();
  let sizeBytes = 0;
  for (const { tensors, sizeBytes: own } of colour(livesOf(graph), (tensor) =>
    tensorSizeBytes(tensor, maxTokens, 'f32'),
  )) {
    for (const tensor of tensors) offsets.set(tensor, sizeBytes);
    sizeBytes += Math.ceil(own / 64) * 64;
  }
  return { offsets, sizeBytes };
}

/** From the node that writes a tensor first to the one that uses it last. */
function livesOf({ nodes, ids }: Graph): Life[] {
  const lives = new Map<Tensor, Life>([[ids, { tensor: ids, first: -1, last: 0 }]]);
  for (const [index, { reads, writes }] of nodes.entries()) {
    for (const each of [...reads, ...writes]) {
      if (each.kind !== 'tensor' || each.role === 'state') continue;
      const life = lives.get(each);
      if (life) life.last = index;
      else lives.set(each, { tensor: each, first: index, last: index });
    }
  }
  return [...lives.values()];
}

/** Records as references see them. */
function decodedExperts(experts: SimdExperts): CpuExpertWeights {
  return {
    units: (bank) => experts.units(bank),
    unit: (bank, unit) => {
      const memory = experts.memory(bank);
      const [at = 0] = memory.words(experts.table(bank) + 4 * unit, 1);
      invariant(at !== 0, () => `expert ${unit} of layer ${bank} is not here`);
      const layout = experts.layout(bank);
      return unpackRecord(layout, memory.bytes.slice(at, at + layout.sizeBytes));
    },
  };
}
