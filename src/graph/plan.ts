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
import { MOST_MULTIPLY_ADDS } from './pieces.ts';
import { elementCount, makeTensor, type Ref, type Tensor, type Weight } from './tensor.ts';
import { swap, type States } from './states.ts';
import type { WeightPart } from './weight-parts.ts';
import type { FormatName } from '../weights/formats/index.ts';

/** A dense weight in GPU memory. */
export interface GpuWeight extends WeightFact {
  readonly parts: readonly (PartFact & { readonly slice: BufferSlice })[];
}

/** A weight that is in one binding. */
export function wholeWeight(
  at: BufferSlice,
  { rows }: Pick<Weight, 'rows'>,
  format: FormatName,
  scalesOffsetBytes: number,
): GpuWeight {
  return { format, parts: [{ firstRow: 0, rows, scalesWords: scalesOffsetBytes / 4, slice: at }] };
}

/** The layout that a dense weight has or will have. */
export interface WeightFact {
  readonly format: FormatName;
  readonly parts: readonly PartFact[]; // in the order of their rows; one, unless no binding takes them all
}

interface PartFact extends WeightPart {
  readonly scalesWords: number; // where the scales of a quantised weight begin, in u32 words from the part's start
}

/** What plans of one model share. */
export interface Resources extends WeightFacts {
  readonly weight: (weight: Weight) => GpuWeight;
}

/** A choice that lowering met: the tuner times the candidates, keyed by kernel and shape. */
export interface Choice {
  readonly key: string; // `linear 576x192 q4_0`
  readonly candidates: readonly string[]; // pipeline keys or names of ways; the first is the default
  readonly make: (candidate: string) => readonly Dispatch[];
}

/** Candidate chosen for each choice key. Absent: the default. */
export type Tuning = ReadonlyMap<string, string>;

/** How a graph is turned into dispatches. */
export interface PlanOptions {
  readonly label: string;
  readonly maxTokens: number;
  readonly contextTokens: number;
  readonly scalar: Scalar;
  readonly tuning: Tuning;
  readonly mostMultiplyAdds?: number; // of one dispatch; default MOST_MULTIPLY_ADDS
  readonly refusals?: Refusals; // what the device has refused so far; more may be added
  readonly keepCuts?: boolean; // a step can continue again from where it stopped before a layer's experts
}

/** A graph as a flat list of dispatches, before anything is allocated. */
export interface Lowered {
  readonly dispatches: readonly Dispatch[];
  readonly labels: readonly string[]; // `op label`, one for each dispatch
  readonly choices: readonly Choice[];
}

/** What lowering has to know of the weights, which need not be loaded yet. */
export interface WeightFacts {
  readonly weight: (weight: Weight) => WeightFact;
  readonly experts: ExpertWeights | undefined;
}

/** Turns nodes into dispatches. Allocates nothing. */
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
    format: (weight) => resources.weight(weight).format,
    parts: (weight) =>
      resources.weight(weight).parts.map(({ firstRow, rows, scalesWords: scales }, part) => ({
        ref: { kind: 'part', weight, part },
        firstRow,
        rows,
        scales,
      })),
    mostMultiplyAdds: options.mostMultiplyAdds ?? MOST_MULTIPLY_ADDS,
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

/** The tuned way where there is one, else the first; where that cannot be laid out, the next one. */
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
    invariant(way, () => `${what} has no way ${candidate} on this device`);
    return way();
  };
  invariant(ways.size > 0, () => `${what} has no way on this device`);
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

/** What a plan holds, for reports. */
export interface PlanMemory {
  readonly activationsBytes: number;
  readonly unsharedBytes: number; // what the tensors would take without sharing
  readonly buffers: number;
  readonly dispatches: number;
}

/** A lowered graph with its buffers, pipelines and parameters. Runs through an `Instance`. */
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
   * Lowers, allocates and compiles.
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

  /** Makes the bind groups for one session's states, of both parities. Nothing is created after this. */
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

  /** Where a tensor is. */
  buffer(tensor: Tensor): Buffer {
    const at = this.#byTensor.get(tensor);
    invariant(at, () => `tensor ${tensor.name} is used by no dispatch of ${this.label}`);
    return at.buffer;
  }

  /** What a tensor holds after a step of this many tokens: its elements only, not the padding behind them. */
  read(tensor: Tensor, tokens: number): Promise<ArrayBuffer> {
    const sizeBytes = elementBytes(tensor, this.#scalar) * elementCount(tensor, tokens);
    return this.#gpu.read(this.buffer(tensor), 0, sizeBytes);
  }

  /** What a dispatch binds for a reference; undefined for a tensor that no dispatch of this plan uses. */
  resolve(ref: Ref, states: States): BufferSlice | undefined {
    if (ref.kind === 'weight') return this.#part(ref, 0, 1);
    if (ref.kind === 'part') return this.#part(ref.weight, ref.part);
    if (ref.kind === 'buffer') return slice(ref.buffer);
    if (ref.role !== 'state') return this.#byTensor.get(ref);
    const buffer = states.get(ref.name);
    return buffer && slice(buffer);
  }

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
      return `part ${part} of ${weight.name}, which is in ${parts.length} bindings; bind what parts() gives`;
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
 * Lowers and compiles; where a pipeline is refused, again without it, until all compile or there is no other way.
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
          // What was refused before is here again: nothing else would do.
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

/** The bind group of a dispatch, with its parameters in a slice of an arena. */
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

/** Part of a step: what comes before, between or after the experts of its layers. */
export interface Span {
  readonly bank: number; // whose records its first commands read; -1 before the first experts
  readonly waves: readonly Command[]; // read the bank's records, and may run several times with some of them each
  readonly rest: readonly Command[]; // once, with all of the bank's records in place unless `waves` has read them
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

  /** Sends the step's parameters and gives its commands in order. */
  commands(step: Step): Command[] {
    const commands: Command[] = [];
    this.#visit(step, (command) => commands.push(command));
    return commands;
  }

  /** The same, cut before the experts of each layer. */
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
    // Only a step that is paced asks what its dispatches take: a token goes in one submission.
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

  /** Runs a step in one submission, with copies behind it. */
  run(step: Step, copies: readonly Copy[] = []): void {
    submit(this.#gpu, this.commands(step), copies);
  }
}
