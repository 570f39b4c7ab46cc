import { invariant } from '../../errors.ts';
import type { Buffer } from '../../gpu/buffer.ts';
import type { Gpu } from '../../gpu/device.ts';
import type { Graph, ModelGraph, Step } from '../../graph/node.ts';
import type { GpuWeight, Instance, Plan, Resources, Tuning } from '../../graph/plan.ts';
import type { Refusals } from '../../graph/candidates.ts';
import type { Scalar } from '../../graph/tensor.ts';
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
  readonly forPrompts: Resources;
  readonly tuning: Tuning;
  readonly refusals: Refusals;
  readonly decode: Plan<ModelGraph>;
  readonly prefill: Plan<ModelGraph>;
}

/** States and bind groups of one session. */
export class GpuState implements RunnerState {
  readonly buffers: ReadonlyMap<string, Buffer>;
  readonly progress: Progress;
  readonly #plans: { readonly decode: Plan<ModelGraph>; readonly prefill: Plan<ModelGraph> };
  readonly #onDispose: (state: GpuState) => void;
  #decode: Instance<ModelGraph> | undefined;
  #prefill: Instance<ModelGraph> | undefined;

  constructor(
    buffers: ReadonlyMap<string, Buffer>,
    plans: { readonly decode: Plan<ModelGraph>; readonly prefill: Plan<ModelGraph> },
    onDispose: (state: GpuState) => void,
  ) {
    this.buffers = buffers;
    this.#plans = plans;
    this.#onDispose = onDispose;
    this.progress = new Progress(plans.decode.graph.tensors);
    this.bind();
  }

  get decode(): Instance<ModelGraph> {
    invariant(this.#decode, () => 'not bound');
    return this.#decode;
  }

  get prefill(): Instance<ModelGraph> {
    invariant(this.#prefill, () => 'not bound');
    return this.#prefill;
  }

  /** Makes the bind groups; again when expert slots have moved. */
  bind(): void {
    this.#decode = this.#plans.decode.instance(this.buffers);
    this.#prefill = this.#plans.prefill.instance(this.buffers);
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
  { ids, past, penalty, temperature, candidates }: StepRequest,
  { progress }: GpuState,
): Step {
  return { tokens: ids.length, past, penalty, temperature, candidates, parity: progress.parity };
}

/** Writes the token ids of a step to the plan's input: u32 [tokens]. */
export function writeIds(gpu: Gpu, plan: Plan<Graph>, ids: readonly number[]): void {
  gpu.write(plan.buffer(plan.graph.ids), 0, Uint32Array.from(ids));
}
