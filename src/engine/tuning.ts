/** Finds out which of several equal kernels is fastest on the adapter at hand, once for each shape. */
import { invariant } from '../errors.ts';
import { slice, type Buffer, type BufferSlice } from '../gpu/buffer.ts';
import type { Gpu } from '../gpu/device.ts';
import { ParamsArena, submit, type Command } from '../gpu/recorder.ts';
import { tensorSizeBytes } from '../graph/liveness.ts';
import { plainStep, type Dispatch, type Graph, type Step } from '../graph/node.ts';
import {
  bindDispatch,
  Plan,
  type Choice,
  type PlanOptions,
  type Resources,
  type Tuning,
} from '../graph/plan.ts';
import type { Ref, Scalar, Tensor } from '../graph/tensor.ts';
import type { LoadProgress } from './api.ts';

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

export interface TuningOptions {
  readonly mode: TuningMode;
  readonly store?: TuningStore | undefined;
}

/** Part of every stored key: kernels change between versions. */
const TUNING_VERSION = 1;

const REPEAT_MS = 5; // timestamps and timers are coarse: repeat a candidate until it takes this long
const MARGIN = 0.9; // a candidate has to beat the default by a tenth
const SLOW_IDLE_MS = 20; // a browser that reports completion this late cannot time anything (Firefox polls)

/**
 * Nobody waits longer than this for a faster kernel. What is not timed by then keeps its default for good: a choice
 * that changed with the next visit would change bits too.
 */
const BUDGET_MS = 3000;

export interface PlanSpec {
  readonly graph: Graph;
  readonly resources: Resources;
  readonly options: Omit<PlanOptions, 'tuning'>;
}

/** @returns the candidate to use for each choice; absent ones keep their default */
export async function tuneModel(
  gpu: Gpu,
  specs: readonly PlanSpec[],
  { mode, store }: TuningOptions,
  onProgress: (progress: LoadProgress) => void,
): Promise<Tuning> {
  if (mode === 'off') return new Map();
  if (mode !== 'auto') return mode;
  const adapter = `${TUNING_VERSION} ${gpu.name}`;
  const tuning = new Map(await store?.read(adapter).catch(() => new Map<string, string>()));
  const overheadMs = await idleMs(gpu);
  if (overheadMs > SLOW_IDLE_MS) return tuning;
  const deadlineMs = performance.now() + BUDGET_MS;
  for (const spec of specs) {
    const plan = await Plan.open(gpu, spec.graph, spec.resources, { ...spec.options, tuning });
    const bench = new Bench(gpu, plan, spec, overheadMs);
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
  await store?.write(adapter, tuning).catch(() => {}); // a full or forbidden storage costs the next visit some time
  return tuning;
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

const MOST_DISPATCHES = 16; // of one way

/** Times candidates on a plan's own buffers, with stand-ins for what only the candidates use. */
class Bench {
  readonly #gpu: Gpu;
  readonly #plan: Plan;
  readonly #step: Step;
  readonly #scalar: Scalar;
  readonly #overheadMs: number;
  readonly #arena: ParamsArena;
  readonly #states = new Map<string, Buffer>();
  readonly #scratch = new Map<Tensor, Buffer>();

  constructor(gpu: Gpu, plan: Plan, { graph, options }: PlanSpec, overheadMs: number) {
    const { maxTokens, contextTokens, scalar } = options;
    this.#gpu = gpu;
    this.#plan = plan;
    this.#scalar = scalar;
    this.#overheadMs = overheadMs;
    this.#step = plainStep(maxTokens, Math.min(contextTokens - maxTokens, contextTokens >> 1));
    this.#arena = new ParamsArena(gpu, 'tuning params', MOST_DISPATCHES);
    for (const tensor of graph.tensors) {
      if (tensor.role === 'state') this.#states.set(tensor.name, this.#make(tensor, 'kv-cache'));
    }
  }

  /** The candidate that takes least time; the default unless another is clearly faster. */
  async fastest({ candidates, make }: Choice): Promise<string> {
    const [fallback = ''] = candidates;
    if (!candidates.every((candidate) => isTimed(make(candidate), this.#step))) return fallback;
    let best = fallback;
    let bestMs = Infinity;
    for (const candidate of candidates) {
      const ms = await this.#time(await this.#commands(make(candidate)));
      if (ms < bestMs * (best === fallback && bestMs < Infinity ? MARGIN : 1)) {
        best = candidate;
        bestMs = ms;
      }
    }
    return best;
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

  async #commands(dispatches: readonly Dispatch[]): Promise<Command[]> {
    invariant(dispatches.length <= MOST_DISPATCHES, () => `a way of ${dispatches.length} dispatches`);
    const needed = dispatches.filter(({ isNeeded }) => isNeeded?.(this.#step) ?? true);
    const commands: Command[] = [];
    for (const [slot, dispatch] of needed.entries()) {
      const pipeline = await this.#gpu.pipelines.compile(dispatch.program);
      const { params } = dispatch.program;
      this.#arena.set(slot, params, dispatch.params(this.#step));
      const resolve = (ref: Ref) => this.#resolve(ref);
      const group = bindDispatch(this.#gpu, dispatch, pipeline, resolve, this.#arena.slot(slot, params));
      const grid = dispatch.grid(this.#step);
      commands.push({
        group,
        grid:
          'indirect' in grid
            ? { indirect: this.#resolve(grid.indirect).buffer, offsetBytes: grid.offsetBytes }
            : grid,
      });
    }
    this.#arena.flush();
    return commands;
  }

  /** Milliseconds of one run, from enough repeats. */
  async #time(commands: readonly Command[]): Promise<number> {
    const run = async (repeats: number) => {
      const startedMs = performance.now();
      submit(this.#gpu, Array.from({ length: repeats }, () => commands).flat());
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

/** Whether a way does at this step what it would do in earnest: it runs, and makes its own indirect arguments. */
function isTimed(dispatches: readonly Dispatch[], step: Step): boolean {
  const needed = dispatches.filter(({ isNeeded }) => isNeeded?.(step) ?? true);
  const written = new Set<Ref>();
  for (const { grid, buffers, program } of needed) {
    const size = grid(step);
    if ('indirect' in size && !written.has(size.indirect)) return false;
    for (const [name, ref] of Object.entries(buffers))
      if (program.bindings[name] === 'write') written.add(ref);
  }
  return needed.length > 0;
}
