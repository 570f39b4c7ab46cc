import { invariant } from '../../errors.ts';
import type { Buffer } from '../../gpu/buffer.ts';
import type { Gpu } from '../../gpu/device.ts';
import type { Graph, ModelGraph, Step } from '../../graph/node.ts';
import type { GpuWeight, Instance, Plan, Resources, Tuning } from '../../graph/plan.ts';
import type { Refusals } from '../../graph/candidates.ts';
import { nextOf, type Scalar } from '../../graph/tensor.ts';
import type { Bounds } from '../../graph/weight-parts.ts';
import type { GpuExpertMemory } from './gpu-experts.ts';
import type { Drafted } from '../load/planning.ts';
import { Progress } from './progress.ts';
import type { RunnerState, StepRequest } from './runner.ts';

/** What a runner runs. */
export interface Loaded {
  readonly gpu: Gpu;
  readonly drafted: Drafted;
  readonly scalar: Scalar;
  readonly bounds: Bounds;
  readonly weights: ReadonlyMap<string, GpuWeight>;
  readonly memory: GpuExpertMemory | undefined; // of models with routed experts
  readonly forTokens: Resources;
  readonly forPrompts: Resources;
  readonly tuning: Tuning;
  readonly refusals: Refusals;
  readonly decode: Plan<ModelGraph>;
  readonly prefill: Plan<ModelGraph>;
}

/** The plans of single tokens and of prompts. */
export interface Plans {
  readonly decode: Plan<ModelGraph>;
  readonly prefill: Plan<ModelGraph>;
}

/** Plans that are bound to the states of a session. */
export interface Instances {
  readonly decode: Instance<ModelGraph>;
  readonly prefill: Instance<ModelGraph>;
}

/** A step that was run. */
interface GpuStep {
  readonly plan: Plan<ModelGraph>;
  readonly tokens: number;
}

/** States and bind groups of one session. */
export class GpuState implements RunnerState {
  readonly buffers: ReadonlyMap<string, Buffer>;
  readonly progress: Progress;
  last: GpuStep | undefined;
  hasHooks = false; // a request had some: the plans with hooks are in use
  readonly #plans: Plans;
  readonly #onDispose: (state: GpuState) => void;
  #plain: Instances;
  #hookedPlans: Plans | undefined;
  #hooked: Instances | undefined;
  readonly #others = new Map<Plan<ModelGraph>, Instance<ModelGraph>>(); // of plans that are made when they are needed

  constructor(buffers: ReadonlyMap<string, Buffer>, plans: Plans, onDispose: (state: GpuState) => void) {
    this.buffers = buffers;
    this.#plans = plans;
    this.#onDispose = onDispose;
    this.progress = new Progress(plans.decode.graph.tensors);
    this.#plain = this.#bound(plans);
  }

  get decode(): Instance<ModelGraph> {
    return this.#plain.decode;
  }

  get prefill(): Instance<ModelGraph> {
    return this.#plain.prefill;
  }

  /** The session with the plans of requests with hooks, which it is bound to at its first. */
  hooked(plans: Plans): Instances {
    if (!this.#hooked || this.#hookedPlans !== plans) this.#hooked = this.#bound(plans);
    this.#hookedPlans = plans;
    return this.#hooked;
  }

  /** Whether an instance runs single tokens. */
  isDecode(instance: Instance<ModelGraph>): boolean {
    return instance === this.#plain.decode || instance === this.#hooked?.decode;
  }

  /** Makes the bind groups again when expert slots have moved. */
  bind(): void {
    this.#plain = this.#bound(this.#plans);
    if (this.#hookedPlans) this.#hooked = this.#bound(this.#hookedPlans);
    this.#others.clear();
  }

  #bound({ decode, prefill }: Plans): Instances {
    return { decode: decode.instance(this.buffers), prefill: prefill.instance(this.buffers) };
  }

  /** The session with another plan of the model. */
  instance(plan: Plan<ModelGraph>): Instance<ModelGraph> {
    const known = this.#others.get(plan);
    if (known) return known;
    const instance = plan.instance(this.buffers);
    this.#others.set(plan, instance);
    return instance;
  }

  /** The buffers with the states as the last step left them, by name. */
  get current(): Map<string, Buffer> {
    const { replaced, parity } = this.progress;
    const next = new Set(replaced.map((tensor) => nextOf(tensor).name));
    const current = new Map([...this.buffers].filter(([name]) => !next.has(name)));
    if (parity === 0) return current;
    for (const tensor of replaced) {
      const buffer = this.buffers.get(nextOf(tensor).name);
      if (buffer) current.set(tensor.name, buffer);
    }
    return current;
  }

  dispose(): void {
    this.#onDispose(this);
    for (const buffer of this.buffers.values()) buffer.dispose();
  }
}

/** The state as one of a GPU runner. */
export function gpuState(state: RunnerState): GpuState {
  invariant(state instanceof GpuState, () => 'a session of another engine');
  return state;
}

/** A request as a step of a plan, with the parity of the session's states. */
export function stepOf(
  { ids, past, penalty, temperature, candidates, hooks, embedding }: StepRequest,
  { progress }: GpuState,
): Step {
  const { parity } = progress;
  const editedBanks = hooks?.editedBanks;
  const drawn = { penalty, temperature, candidates };
  return { tokens: ids.length, past, ...drawn, parity, editedBanks, isEmbedded: embedding !== undefined };
}

/** Writes the token ids of a step to the plan's input: u32 [tokens]. */
export function writeIds(gpu: Gpu, plan: Plan<Graph>, ids: readonly number[]): void {
  gpu.write(plan.buffer(plan.graph.ids), 0, Uint32Array.from(ids));
}
