/** Finds out which of several equal kernels is fastest on the adapter at hand, once for each shape. */
import type { Buffer } from '../gpu/buffer.ts';
import type { Gpu } from '../gpu/device.ts';
import { ParamsArena, submit, type Command } from '../gpu/recorder.ts';
import { tensorSizeBytes } from '../graph/liveness.ts';
import type { Dispatch, Graph, Step } from '../graph/node.ts';
import {
  Plan,
  type Choice,
  type PlanOptions,
  type Resources,
  type States,
  type Tuning,
} from '../graph/plan.ts';
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

export interface PlanSpec {
  readonly graph: Graph;
  readonly options: Omit<PlanOptions, 'tuning'>;
}

/** @returns the candidate to use for each choice; absent ones keep their default */
export async function tuneModel(
  gpu: Gpu,
  specs: readonly PlanSpec[],
  resources: Resources,
  { mode, store }: TuningOptions,
  onProgress: (progress: LoadProgress) => void,
): Promise<Tuning> {
  if (mode === 'off') return new Map();
  if (mode !== 'auto') return mode;
  const adapter = `${TUNING_VERSION} ${gpu.name}`;
  const tuning = new Map(await store?.read(adapter).catch(() => new Map<string, string>()));
  const overheadMs = await idleMs(gpu);
  if (overheadMs > SLOW_IDLE_MS) return tuning;
  for (const { graph, options } of specs) {
    const plan = await Plan.open(gpu, graph, resources, { ...options, tuning });
    const states = openStates(gpu, graph, options);
    const arena = new ParamsArena(gpu, 'tuning params', 1);
    try {
      const open = plan.lowered.choices.filter(({ key }) => !tuning.has(key));
      for (const [index, choice] of open.entries()) {
        onProgress({ kind: 'tuning', doneKernels: index, totalKernels: open.length });
        const best = await fastest(gpu, plan, choice, states, arena, stepOf(options), overheadMs);
        tuning.set(choice.key, best);
      }
    } finally {
      arena.buffer.dispose();
      for (const buffer of states.values()) buffer.dispose();
      plan.dispose();
    }
  }
  await store?.write(adapter, tuning).catch(() => {}); // a full or forbidden storage costs the next visit some time
  return tuning;
}

function stepOf({ maxTokens, contextTokens }: Omit<PlanOptions, 'tuning'>): Step {
  return { tokens: maxTokens, past: Math.min(contextTokens - maxTokens, contextTokens >> 1), penalty: 1 };
}

function openStates(gpu: Gpu, graph: Graph, { scalar }: Omit<PlanOptions, 'tuning'>): Map<string, Buffer> {
  const states = new Map<string, Buffer>();
  for (const tensor of graph.tensors.filter(({ role }) => role === 'state')) {
    const sizeBytes = tensorSizeBytes(tensor, 0, scalar);
    states.set(tensor.name, gpu.createBuffer({ label: tensor.name, sizeBytes, kind: 'kv-cache' }));
  }
  return states;
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

async function fastest(
  gpu: Gpu,
  plan: Plan,
  choice: Choice,
  states: States,
  arena: ParamsArena,
  step: Step,
  overheadMs: number,
): Promise<string> {
  const [fallback = ''] = choice.candidates;
  const first = choice.make(fallback);
  const isTimed = !('indirect' in first.grid(step)) && (first.isNeeded?.(step) ?? true);
  if (!isTimed) return fallback;
  let best = fallback;
  let bestMs = Infinity;
  for (const candidate of choice.candidates) {
    const command = await commandOf(gpu, plan, choice.make(candidate), states, arena, step);
    const ms = await timeCommand(gpu, command, overheadMs);
    if (ms < bestMs * (best === fallback && bestMs < Infinity ? MARGIN : 1)) {
      best = candidate;
      bestMs = ms;
    }
  }
  return best;
}

async function commandOf(
  gpu: Gpu,
  plan: Plan,
  dispatch: Dispatch,
  states: States,
  arena: ParamsArena,
  step: Step,
): Promise<Command> {
  const pipeline = await gpu.pipelines.compile(dispatch.program);
  const grid = dispatch.grid(step);
  arena.set(0, dispatch.program.params, dispatch.params(step));
  arena.flush();
  const group = plan.bind(dispatch, pipeline, states, 0, arena);
  if ('indirect' in grid) throw new Error('indirect dispatches are not timed');
  return { group, grid };
}

/** Milliseconds of one run, from enough repeats. */
async function timeCommand(gpu: Gpu, command: Command, overheadMs: number): Promise<number> {
  const run = async (repeats: number) => {
    const startedMs = performance.now();
    submit(
      gpu,
      Array.from({ length: repeats }, () => command),
    );
    await gpu.idle();
    return Math.max(0.001, performance.now() - startedMs - overheadMs);
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
