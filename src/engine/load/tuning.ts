/** Finds out which of several equal kernels is fastest on the adapter at hand, once for each shape. */
import { invariant } from '../../errors.ts';
import { slice, type Buffer, type BufferSlice } from '../../gpu/buffer.ts';
import type { Gpu } from '../../gpu/device.ts';
import type { Pipeline } from '../../gpu/pipeline.ts';
import { ParamsArena, submit, type Command } from '../../gpu/recorder.ts';
import { Refusals } from '../../graph/candidates.ts';
import { tensorSizeBytes } from '../../graph/liveness.ts';
import { plainStep, type Dispatch, type Graph, type Step } from '../../graph/node.ts';
import {
  bindDispatch,
  Plan,
  type Choice,
  type PlanOptions,
  type Resources,
  type Tuning,
} from '../../graph/plan.ts';
import type { Ref, Scalar, Tensor } from '../../graph/tensor.ts';
import type { LoadProgress } from '../api.ts';
import { saysMissingModule } from '../failures.ts';
import { Pace } from '../run/pace.ts';

/** Where tunings are kept between visits. */
export interface TuningStore {
  read(adapter: string): Promise<ReadonlyMap<string, string>>;
  write(adapter: string, tuning: ReadonlyMap<string, string>): Promise<void>;
}

/**
 * - `auto`: time what is not known yet
 * - `off`: the defaults
 * - a map: these choices and the defaults for the rest; nothing is timed
 */
export type TuningMode = 'auto' | 'off' | Tuning;

/** Whether kernels are timed, and where the results are kept. */
export interface TuningOptions {
  readonly mode: TuningMode;
  readonly store?: TuningStore | undefined; // default: the browser's, if it has one
}

/** Part of every stored key: kernels change between versions. */
const TUNING_VERSION = 2;

const REPEAT_MS = 5; // timestamps and timers are coarse: repeat a candidate until it takes this long
const MARGIN = 0.9; // a candidate has to beat the default by a tenth
const SLOW_IDLE_MS = 20; // a browser that reports completion this late cannot time anything (Firefox polls)

/**
 * Tuning takes no longer than this. What is not timed by then keeps its default permanently: a choice
 * that changed with the next visit would change bits too. For the same reason nothing is timed where the choice could
 * not be stored, and where the clock is too coarse the defaults are stored.
 */
const BUDGET_MS = 3000;

/** A plan to be opened: a graph, its weights, and the options. */
export interface PlanSpec<G extends Graph = Graph> {
  readonly graph: G;
  readonly resources: Resources;
  readonly options: Omit<PlanOptions, 'tuning'>;
}

/**
 * Times what `store` does not know. Without a store nothing is timed: the choice would change with each visit.
 *
 * @returns the candidate to use for each choice; absent ones keep their default. What the device refuses is noted.
 */
export async function tuneModel(
  gpu: Gpu,
  specs: readonly PlanSpec[],
  {
    store,
    refusals = new Refusals(),
  }: { readonly store: TuningStore | undefined; readonly refusals?: Refusals },
  onProgress: (progress: LoadProgress) => void,
): Promise<Tuning> {
  const adapter = `${TUNING_VERSION} ${gpu.name} ${gpu.adapterClass}`;
  const known = store && (await readStored(store, adapter));
  if (!known) return new Map();
  const tuning = new Map(known);
  const overheadMs = await idleMs(gpu);
  const deadlineMs = overheadMs > SLOW_IDLE_MS ? -Infinity : performance.now() + BUDGET_MS;
  for (const spec of specs) {
    const plan = await Plan.open(gpu, spec.graph, spec.resources, { ...spec.options, tuning, refusals });
    const bench = new Bench(gpu, plan, spec, { overheadMs, refusals });
    try {
      const open = plan.lowered.choices.filter(({ key }) => !tuning.has(key));
      for (const [index, choice] of open.entries()) {
        onProgress({ kind: 'tuning', doneKernels: index, totalKernels: open.length });
        const isLate = performance.now() > deadlineMs;
        tuning.set(choice.key, isLate ? (choice.candidates[0] ?? '') : await bench.fastest(choice));
      }
    } finally {
      bench.dispose();
      plan.dispose();
    }
  }
  // A choice that the next visit would not know is not taken at this one.
  return tuning.size === known.size || (await writeStored(store, adapter, tuning)) ? tuning : known;
}

/** What is stored; undefined where storing fails, which is found out by writing it again. */
async function readStored(store: TuningStore, adapter: string): Promise<Tuning | undefined> {
  const known = await store.read(adapter).catch(() => undefined);
  return known && (await writeStored(store, adapter, known)) ? known : undefined;
}

async function writeStored(store: TuningStore, adapter: string, tuning: Tuning): Promise<boolean> {
  return store.write(adapter, tuning).then(
    () => true,
    () => false, // full or forbidden
  );
}

async function idleMs(gpu: Gpu): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const startedMs = performance.now();
    submit(gpu, []);
    await gpu.idle();
    times.push(performance.now() - startedMs);
  }
  return Math.min(...times);
}

const MOST_DISPATCHES = 256; // of one way, pieces of long ones among them; longer ones keep their default

/** Times candidates on a plan's own buffers, with substitutes for what only the candidates use. */
class Bench {
  readonly #gpu: Gpu;
  readonly #plan: Plan;
  readonly #step: Step;
  readonly #scalar: Scalar;
  readonly #overheadMs: number;
  readonly #refusals: Refusals;
  readonly #arena: ParamsArena;
  readonly #states = new Map<string, Buffer>();
  readonly #scratch = new Map<Tensor, Buffer>();

  constructor(
    gpu: Gpu,
    plan: Plan,
    { graph, options }: PlanSpec,
    { overheadMs, refusals }: { overheadMs: number; refusals: Refusals },
  ) {
    const { maxTokens, contextTokens, scalar } = options;
    this.#gpu = gpu;
    this.#plan = plan;
    this.#scalar = scalar;
    this.#overheadMs = overheadMs;
    this.#refusals = refusals;
    this.#step = plainStep(maxTokens, Math.min(contextTokens - maxTokens, contextTokens >> 1));
    this.#arena = new ParamsArena(gpu, 'tuning params', MOST_DISPATCHES);
    for (const tensor of graph.tensors) {
      if (tensor.role === 'state') this.#states.set(tensor.name, this.#make(tensor, 'kv-cache'));
    }
  }

  /** The candidate that takes least time; the default unless another is clearly faster. What cannot run is passed over. */
  async fastest({ key, candidates, make }: Choice): Promise<string> {
    const working = candidates.filter((candidate) => this.#isLaidOut(key, candidate, make));
    const [fallback = candidates[0] ?? ''] = working;
    if (!working.every((candidate) => isTimed(make(candidate), this.#step))) return fallback;
    const times = new Map<string, number>();
    for (const candidate of working) {
      const ms = await this.#attempt(key, candidate, make(candidate));
      if (ms !== undefined) times.set(candidate, ms);
    }
    const [first] = times;
    if (!first) return fallback;
    const [standard, standardMs] = first;
    const [best, bestMs] = [...times].reduce((least, next) => (next[1] < least[1] ? next : least));
    return bestMs < standardMs * MARGIN ? best : standard;
  }

  /** Whether a candidate says what it would do at this step. */
  #isLaidOut(key: string, candidate: string, make: Choice['make']): boolean {
    try {
      for (const dispatch of make(candidate)) dispatch.grid(this.#step);
      return true;
    } catch (error) {
      this.#refuse(key, candidate, error);
      return false;
    }
  }

  /** How long a candidate takes; undefined where it cannot be compiled, bound or run. */
  async #attempt(
    key: string,
    candidate: string,
    dispatches: readonly Dispatch[],
  ): Promise<number | undefined> {
    try {
      return await this.#time(await this.#commands(candidate, dispatches));
    } catch (error) {
      this.#gpu.assertUsable(); // a lost device is no fault of the candidate's alone, and neither is a lost connection
      if (error instanceof Error && saysMissingModule(error.message)) throw error;
      this.#refuse(key, candidate, error);
      return undefined;
    }
  }

  #refuse(key: string, candidate: string, error: unknown): void {
    this.#refusals.addCandidate(key, candidate, error instanceof Error ? error.message : String(error));
  }

  dispose(): void {
    this.#arena.buffer.dispose();
    for (const buffer of [...this.#states.values(), ...this.#scratch.values()]) buffer.dispose();
  }

  #make(tensor: Tensor, kind: 'kv-cache' | 'activations'): Buffer {
    const sizeBytes = tensorSizeBytes(tensor, this.#step.tokens, this.#scalar);
    const use = tensor.role === 'indirect' ? 'indirect' : 'storage';
    return this.#gpu.createBuffer({ label: tensor.name, sizeBytes, kind, use });
  }

  #resolve(ref: Ref): BufferSlice {
    const found = this.#plan.resolve(ref, this.#states);
    if (found) return found;
    invariant(ref.kind === 'tensor', () => `no buffer for ${ref.kind}`);
    const buffer = this.#scratch.get(ref) ?? this.#make(ref, 'activations');
    this.#scratch.set(ref, buffer);
    return slice(buffer);
  }

  /** The commands of a candidate, which have run once. */
  async #commands(candidate: string, dispatches: readonly Dispatch[]): Promise<Command[]> {
    const needed = dispatches.filter(({ isNeeded }) => isNeeded?.(this.#step) ?? true);
    const pipelines = await Promise.all(needed.map(({ program }) => this.#gpu.pipelines.compile(program)));
    return this.#gpu.attempting(candidate, () => {
      const commands = needed.flatMap((dispatch, slot) => {
        const pipeline = pipelines[slot];
        return pipeline ? [this.#command(dispatch, pipeline, slot)] : [];
      });
      this.#arena.flush();
      this.#submit(commands);
      return commands;
    });
  }

  #command(dispatch: Dispatch, pipeline: Pipeline, slot: number): Command {
    const { params } = dispatch.program;
    this.#arena.set(slot, params, dispatch.params(this.#step));
    const resolve = (ref: Ref) => this.#resolve(ref);
    const group = bindDispatch(this.#gpu, dispatch, pipeline, resolve, this.#arena.slot(slot, params));
    const grid = dispatch.grid(this.#step);
    const work = dispatch.work?.(this.#step) ?? 0;
    if (!('indirect' in grid)) return { group, grid, work };
    const { buffer } = this.#resolve(grid.indirect);
    return { group, grid: { indirect: buffer, offsetBytes: grid.offsetBytes }, work };
  }

  /** Nothing is known of the device yet: no submission may keep it busy for long. */
  #submit(commands: readonly Command[]): void {
    for (const slice of new Pace('hardware').slices(commands)) submit(this.#gpu, slice);
  }

  /** Milliseconds of one run, from enough repeats. */
  async #time(commands: readonly Command[]): Promise<number> {
    const run = async (repeats: number) => {
      const startedMs = performance.now();
      this.#submit(Array.from({ length: repeats }, () => commands).flat());
      await this.#gpu.idle();
      return Math.max(0.001, performance.now() - startedMs - this.#overheadMs);
    };
    const warmMs = await run(1); // the first run may still compile
    let repeats = Math.max(1, Math.min(256, Math.ceil(REPEAT_MS / warmMs)));
    let ms = await run(repeats);
    while (ms < REPEAT_MS && repeats < 4096) {
      repeats *= 4;
      ms = await run(repeats);
    }
    return Math.min(ms, await run(repeats)) / repeats;
  }
}

/** Whether a way does at this step what it would do in earnest: it runs, in few dispatches, and makes its own indirect arguments. */
function isTimed(dispatches: readonly Dispatch[], step: Step): boolean {
  const needed = dispatches.filter(({ isNeeded }) => isNeeded?.(step) ?? true);
  const written = new Set<Ref>();
  for (const { grid, buffers, program } of needed) {
    const size = grid(step);
    if ('indirect' in size && !written.has(size.indirect)) return false;
    for (const [name, ref] of Object.entries(buffers))
      if (program.bindings[name] === 'write') written.add(ref);
  }
  return needed.length > 0 && needed.length <= MOST_DISPATCHES;
}
