import type { Gpu } from '../gpu/device.ts';
import { slice, type Buffer, type BufferSlice } from '../gpu/buffer.ts';
import { bind, type BindGroup, type Pipeline } from '../gpu/pipeline.ts';
import { ParamsArena, submit, type Command, type Copy } from '../gpu/recorder.ts';
import { AtomoeError, invariant } from '../errors.ts';
import { type Scalar } from '../kernels/common.ts';
import { legalVariants, Refusals, type DeviceFacts } from './candidates.ts';
import type { ExpertWeights } from './experts.ts';
import { elementBytes, shareBuffers, tensorSizeBytes } from './liveness.ts';
import { plainStep, type Dispatch, type Graph, type LowerContext, type Step } from './node.ts';
import { MAX_MULTIPLY_ADDS } from './pieces.ts';
import { elementCount, makeTensor, type Ref, type Tensor, type Weight } from './tensor.ts';
import { swap, type States } from './states.ts';
import type { WeightPart } from './weight-parts.ts';
import type { FormatName } from '../weights/formats/index.ts';

/** A dense weight in GPU memory. */
export interface GpuWeight extends WeightFact {
  readonly parts: readonly (PartFact & { readonly slice: BufferSlice })[];
}

/** The single part of a weight that is in one binding. */
export function wholeWeight(
  at: BufferSlice,
  { rows }: Pick<Weight, 'rows'>,
  format: FormatName,
  scalesOffsetBytes: number,
): GpuWeight {
  return { parts: [{ firstRow: 0, rows, format, scalesWords: scalesOffsetBytes / 4, slice: at }] };
}

/** The layout of a dense weight, loaded or not. */
export interface WeightFact {
  readonly parts: readonly PartFact[]; // in row order; one unless formats differ or it exceeds the maximum size of a binding
}

interface PartFact extends WeightPart {
  readonly format: FormatName;
  readonly scalesWords: number; // offset of the scales of a quantised weight in the part, in u32 words
}

/** Resources shared by the plans of one model. */
export interface Resources extends WeightFacts {
  readonly weight: (weight: Weight) => GpuWeight;
}

/** A choice among candidates, keyed by kernel and shape, which the tuner times. */
export interface Choice {
  readonly key: string; // `linear 576x192 q4_0`
  readonly candidates: readonly string[]; // pipeline keys or names of ways; the first is the default
  readonly make: (candidate: string) => readonly Dispatch[];
}

/** The chosen candidate by choice key; the default if absent. */
export type Tuning = ReadonlyMap<string, string>;

/** Options of lowering a graph to dispatches. */
export interface PlanOptions {
  readonly label: string;
  readonly maxTokens: number;
  readonly contextTokens: number;
  readonly scalar: Scalar;
  readonly tuning: Tuning;
  readonly mostMultiplyAdds?: number; // maximum per dispatch; default MAX_MULTIPLY_ADDS
  readonly refusals?: Refusals; // candidates rejected by the device; more may be added
  readonly keepCuts?: boolean; // keep tensors so that a step can be continued again from a cut before a layer's experts
}

/** A graph as a list of dispatches, before allocation. */
export interface Lowered {
  readonly dispatches: readonly Dispatch[];
  readonly labels: readonly string[]; // `op label`, one per dispatch
  readonly choices: readonly Choice[];
}

/** The facts about weights that lowering needs; they need not be loaded. */
export interface WeightFacts {
  readonly weight: (weight: Weight) => WeightFact;
  readonly experts: ExpertWeights | undefined;
}

/** Lowers nodes to dispatches, without allocating memory. */
export function lower(gpu: DeviceFacts, graph: Graph, resources: WeightFacts, options: PlanOptions): Lowered {
  const dispatches: Dispatch[] = [];
  const labels: string[] = [];
  const choices = new Map<string, Choice>();
  for (const node of graph.nodes) {
    const context = lowerContext(gpu, resources, options, node.label, (choice) => {
      if (!choices.has(choice.key)) choices.set(choice.key, choice);
    });
    for (const dispatch of node.lower(context)) {
      dispatches.push(dispatch);
      labels.push(`${node.op} ${node.label}`);
    }
  }
  return { dispatches, labels, choices: [...choices.values()] };
}

function lowerContext(
  gpu: DeviceFacts,
  resources: WeightFacts,
  options: PlanOptions,
  label: string,
  meet: (choice: Choice) => void,
): LowerContext {
  const choose: LowerContext['choosePieces'] = (kernel, candidates, shape, make) => {
    const legal = legalVariants(kernel, candidates, gpu);
    const ways = new Map(legal.map((variant) => [kernel.key(variant), () => make(variant)]));
    return pick(`${kernel.name} ${shape}`, ways, options, meet);
  };
  return {
    maxTokens: options.maxTokens,
    scalar: options.scalar,
    subgroups: gpu.features.has('subgroups'),
    limits: gpu.limits,
    adapterClass: gpu.adapterClass,
    contextTokens: options.contextTokens,
    experts: resources.experts,
    parts: (weight) =>
      resources.weight(weight).parts.map(({ firstRow, rows, format, scalesWords: scales }, part) => ({
        ref: { kind: 'part', weight, part },
        firstRow,
        rows,
        format,
        scales,
      })),
    mostMultiplyAdds: options.mostMultiplyAdds ?? MAX_MULTIPLY_ADDS,
    scratch: (name, shape) => makeTensor(`${label} ${name}`, shape),
    choose: (kernel, candidates, shape, make) => {
      const [dispatch] = choose(kernel, candidates, shape, (variant) => [make(variant)]);
      invariant(dispatch, () => `${kernel.name} has no variant for ${shape} on this device`);
      return dispatch;
    },
    choosePieces: choose,
    chooseWay: (name, shape, ways) => pick(`${name} ${shape}`, new Map(Object.entries(ways)), options, meet),
  };
}

/** The tuned candidate if there is one, else the first; if it cannot be lowered, the next one. */
function pick(
  what: string,
  all: ReadonlyMap<string, () => readonly Dispatch[]>,
  { tuning, maxTokens, contextTokens, refusals }: PlanOptions,
  meet: (choice: Choice) => void,
): readonly Dispatch[] {
  const key = `${what} x${maxTokens}`;
  const ways = refusals?.remaining(key, all) ?? all;
  const make = (candidate: string) => {
    const way = ways.get(candidate);
    invariant(way, () => `${what} has no candidate ${candidate} on this device`);
    return way();
  };
  invariant(ways.size > 0, () => `${what} has no candidate on this device`);
  if (ways.size > 1) meet({ key, candidates: [...ways.keys()], make });
  const step = plainStep(maxTokens, Math.max(0, contextTokens - maxTokens));
  const tuned = tuning.get(key) ?? '';
  let failure: unknown;
  for (const candidate of new Set(ways.has(tuned) ? [tuned, ...ways.keys()] : ways.keys())) {
    try {
      const made = make(candidate);
      for (const { grid } of made) grid(step);
      return made;
    } catch (error) {
      failure ??= error;
      refusals?.addCandidate(key, candidate, error instanceof Error ? error.message : String(error));
    }
  }
  throw failure;
}

/** Memory of a plan, for reports, in bytes. */
export interface PlanMemory {
  readonly activationsBytes: number;
  readonly unsharedBytes: number; // size of the tensors without sharing
  readonly buffers: number;
  readonly dispatches: number;
}

/** A lowered graph with its buffers, pipelines and parameters. `Instance` runs it. */
export class Plan<G extends Graph = Graph> {
  readonly graph: G;
  readonly label: string;
  readonly maxTokens: number;
  readonly lowered: Lowered;
  readonly memory: PlanMemory;
  readonly #gpu: Gpu;
  readonly #scalar: Scalar;
  readonly #resources: Resources;
  readonly #pipelines: readonly Pipeline[];
  readonly #buffers: readonly Buffer[];
  readonly #byTensor: ReadonlyMap<Tensor, BufferSlice>;
  readonly #arena: ParamsArena;

  private constructor(parts: {
    gpu: Gpu;
    graph: G;
    options: PlanOptions;
    resources: Resources;
    lowered: Lowered;
    pipelines: readonly Pipeline[];
    buffers: readonly Buffer[];
    byTensor: ReadonlyMap<Tensor, BufferSlice>;
    unsharedBytes: number;
    arena: ParamsArena;
  }) {
    this.graph = parts.graph;
    this.label = parts.options.label;
    this.maxTokens = parts.options.maxTokens;
    this.lowered = parts.lowered;
    this.#gpu = parts.gpu;
    this.#scalar = parts.options.scalar;
    this.#resources = parts.resources;
    this.#pipelines = parts.pipelines;
    this.#buffers = parts.buffers;
    this.#byTensor = parts.byTensor;
    this.#arena = parts.arena;
    this.memory = {
      activationsBytes: parts.buffers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      unsharedBytes: parts.unsharedBytes,
      buffers: parts.buffers.length,
      dispatches: parts.lowered.dispatches.length,
    };
  }

  /**
   * Lowers and compiles a graph and allocates its buffers.
   *
   * @throws {AtomoeError} out-of-memory; limit-too-small; shader
   */
  static async open<G extends Graph>(
    gpu: Gpu,
    graph: G,
    resources: Resources,
    options: PlanOptions,
    onCompiled: (key: string) => void = () => {},
  ): Promise<Plan<G>> {
    const { lowered, pipelines } = await compileAll(gpu, graph, resources, options, onCompiled);
    const shared = shareBuffers(lowered.dispatches, options.maxTokens, options.scalar, options);
    const byTensor = new Map<Tensor, BufferSlice>();
    let unsharedBytes = 0;
    const { buffers, arena } = await gpu.allocating(`the activations of ${options.label}`, () => {
      const made = shared.map(({ sizeBytes, isIndirect, tensors }, index) => {
        const buffer = gpu.createBuffer({
          label: `${options.label} activation ${index}`,
          sizeBytes,
          kind: 'activations',
          use: isIndirect ? 'indirect' : 'storage',
        });
        for (const tensor of tensors) {
          const size = tensorSizeBytes(tensor, options.maxTokens, options.scalar);
          unsharedBytes += size;
          byTensor.set(tensor, slice(buffer, 0, size));
        }
        return buffer;
      });
      return {
        buffers: made,
        arena: new ParamsArena(gpu, `${options.label} params`, lowered.dispatches.length),
      };
    });
    const parts = {
      gpu,
      graph,
      options,
      resources,
      lowered,
      pipelines,
      buffers,
      byTensor,
      unsharedBytes,
      arena,
    };
    return new Plan(parts);
  }

  /** Creates the bind groups for one session's states, for both parities. No GPU object is created afterwards. */
  instance(states: States): Instance<G> {
    const { dispatches } = this.lowered;
    const groups = dispatches.map((_, index) => this.#bind(index, states));
    const swapped = swap(states, this.graph.tensors);
    const odd = groups.map((group, index) => {
      const bound = Object.values(dispatches[index]?.buffers ?? {});
      return bound.some(swapped.has) ? this.#bind(index, swapped.states) : group;
    });
    return new Instance(this.#gpu, this, [groups, odd], this.#arena);
  }

  /** The buffer of a tensor. */
  buffer(tensor: Tensor): Buffer {
    const at = this.#byTensor.get(tensor);
    invariant(at, () => `tensor ${tensor.name} is used by no dispatch of ${this.label}`);
    return at.buffer;
  }

  /** Reads the elements of a tensor after a step of `tokens` tokens, without padding. */
  read(tensor: Tensor, tokens: number): Promise<ArrayBuffer> {
    const sizeBytes = elementBytes(tensor, this.#scalar) * elementCount(tensor, tokens);
    return this.#gpu.read(this.buffer(tensor), 0, sizeBytes);
  }

  /** The slice that a dispatch binds for a reference; undefined for a tensor that no dispatch of this plan uses. */
  resolve(ref: Ref, states: States): BufferSlice | undefined {
    if (ref.kind === 'weight') return this.#part(ref, 0, 1);
    if (ref.kind === 'part') return this.#part(ref.weight, ref.part);
    if (ref.kind === 'buffer') return slice(ref.buffer);
    if (ref.role !== 'state') return this.#byTensor.get(ref);
    const buffer = states.get(ref.name);
    return buffer && slice(buffer);
  }

  /** Destroys the plan's buffers. */
  dispose(): void {
    for (const buffer of this.#buffers) buffer.dispose();
    this.#arena.buffer.dispose();
  }

  #bind(index: number, states: States): BindGroup {
    const dispatch = this.lowered.dispatches[index];
    invariant(dispatch, () => `no dispatch ${index}`);
    const resolve = (ref: Ref) => this.resolve(ref, states) ?? missing(ref);
    const params = this.#arena.slot(index, dispatch.program.params);
    return bindDispatch(this.#gpu, dispatch, this.#pipeline(index), resolve, params);
  }

  #part(weight: Weight, part: number, wanted?: number): BufferSlice {
    const { parts } = this.#resources.weight(weight);
    const found = parts[part];
    invariant(found && parts.length === (wanted ?? parts.length), () => {
      return `part ${part} of ${weight.name}, which is in ${parts.length} bindings; bind its parts()`;
    });
    return found.slice;
  }

  #pipeline(index: number): Pipeline {
    const pipeline = this.#pipelines[index];
    invariant(pipeline, () => `no pipeline ${index}`);
    return pipeline;
  }
}

/**
 * Lowers and compiles; if a pipeline is rejected, repeats without it, until all compile or no candidate remains.
 *
 * @throws {AtomoeError} shader
 */
async function compileAll(
  gpu: Gpu,
  graph: Graph,
  resources: Resources,
  options: PlanOptions,
  onCompiled: (key: string) => void,
): Promise<{ lowered: Lowered; pipelines: readonly Pipeline[] }> {
  const refusals = options.refusals ?? new Refusals();
  for (;;) {
    const lowered = lower(gpu, graph, resources, { ...options, refusals });
    const isKnown = lowered.dispatches.some(({ program }) => refusals.hasPipeline(program.key));
    const pipelines = await Promise.all(
      lowered.dispatches.map(async ({ program }) => {
        try {
          const pipeline = await gpu.pipelines.compile(program);
          onCompiled(program.key);
          return pipeline;
        } catch (error) {
          // A rejected pipeline is used again only if no alternative exists.
          if (isKnown || !(error instanceof AtomoeError) || error.code !== 'shader') throw error;
          refusals.addPipeline(program.key, error.message);
          return undefined;
        }
      }),
    );
    const done = pipelines.filter((pipeline) => pipeline !== undefined);
    if (done.length === pipelines.length) return { lowered, pipelines: done };
  }
}

function missing(ref: Ref): never {
  const { kind } = ref;
  const name = kind === 'buffer' ? ref.buffer.label : kind === 'part' ? ref.weight.name : ref.name;
  throw new Error(`no buffer for ${name}`);
}

/** Creates the bind group of a dispatch, with its parameters in a slice of the arena. */
export function bindDispatch(
  gpu: Gpu,
  dispatch: Dispatch,
  pipeline: Pipeline,
  resolve: (ref: Ref) => BufferSlice,
  params: BufferSlice,
): BindGroup {
  const buffers: Record<string, BufferSlice> = {};
  for (const [name, ref] of Object.entries(dispatch.buffers)) buffers[name] = resolve(ref);
  return bind(gpu, pipeline, buffers, params);
}

/** Part of a step: the commands before, between or after the experts of its layers. */
export interface Span {
  readonly bank: number; // bank whose records its first commands read; -1 before the first experts
  readonly waves: readonly Command[]; // read the bank's records; may run several times with some records each
  readonly rest: readonly Command[]; // run once, after `waves`, or with all of the bank's records in place
}

type BothParities = readonly [even: readonly BindGroup[], odd: readonly BindGroup[]];

/** A plan bound to one session's states. */
export class Instance<G extends Graph = Graph> {
  readonly plan: Plan<G>;
  readonly #gpu: Gpu;
  readonly #groups: BothParities;
  readonly #arena: ParamsArena;

  constructor(gpu: Gpu, plan: Plan<G>, groups: BothParities, arena: ParamsArena) {
    this.#gpu = gpu;
    this.plan = plan;
    this.#groups = groups;
    this.#arena = arena;
  }

  /** Uploads the step's parameters and returns its commands in order. */
  commands(step: Step): Command[] {
    const commands: Command[] = [];
    this.#visit(step, (command) => commands.push(command));
    return commands;
  }

  /** The commands of a step, divided before the experts of each layer. */
  spans(step: Step): Span[] {
    let bank = -1;
    let waves: Command[] = [];
    let rest: Command[] = [];
    const spans: Span[] = [{ bank, waves, rest }];
    this.#visit(step, (command, { records }) => {
      if (records && records.bank !== bank) {
        bank = records.bank;
        waves = [];
        rest = [];
        spans.push({ bank, waves, rest });
      }
      if (records?.inWaves) waves.push(command);
      else rest.push(command);
    });
    return spans;
  }

  #visit(step: Step, visit: (command: Command, dispatch: Dispatch) => void): void {
    // Only paced steps need the work of dispatches: a token is one submission.
    const isPaced = step.mostMultiplyAdds !== undefined;
    const groups = this.#groups[step.parity ?? 0];
    this.plan.lowered.dispatches.forEach((dispatch, index) => {
      const group = groups[index];
      if (!group || (dispatch.isNeeded && !dispatch.isNeeded(step))) return;
      this.#arena.set(index, dispatch.program.params, dispatch.params(step));
      const grid = this.#grid(dispatch, step);
      visit(isPaced ? { group, grid, work: dispatch.work?.(step) ?? 0 } : { group, grid }, dispatch);
    });
    this.#arena.flush();
  }

  #grid(dispatch: Dispatch, step: Step): Command['grid'] {
    const grid = dispatch.grid(step);
    if (!('indirect' in grid)) return grid;
    return { indirect: this.plan.buffer(grid.indirect), offsetBytes: grid.offsetBytes };
  }

  /** Runs a step in one submission, followed by copies. */
  run(step: Step, copies: readonly Copy[] = []): void {
    submit(this.#gpu, this.commands(step), copies);
  }
}
