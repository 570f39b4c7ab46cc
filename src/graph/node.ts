import { invariant } from '../errors.ts';
import type { Grid } from '../gpu/recorder.ts';
import type { Access, ParamType, Program } from '../gpu/program.ts';
import type { AdapterClass } from '../gpu/adapter-class.ts';
import type { Limits } from '../gpu/device.ts';
import { type Scalar } from '../kernels/common.ts';
import { program, type Kernel, type Variant } from '../kernels/kernel.ts';
import type { Choosable } from './candidates.ts';
import type { CpuExpertWeights, ExpertWeights } from './experts.ts';
import type { Ref, Tensor, TensorShape, Weight } from './tensor.ts';
import type { WeightPart } from './weight-parts.ts';
import type { FormatName } from '../weights/formats/index.ts';

/** All that changes from step to step. */
export interface Step {
  readonly tokens: number;
  readonly past: number; // tokens in the KV cache before this step
  readonly penalty: number; // repetition penalty; 1 is none
  readonly temperature: number; // of the record's tempered sum; 1 when greedy
  readonly candidates: boolean; // whether the record holds more than the best token
  readonly mostMultiplyAdds?: number; // of a dispatch, where the device has shown that it takes more than plans reckon with
  readonly parity?: Parity; // which buffers hold the old of states that are kept by parity; default 0
  readonly lookahead?: number; // layers ahead whose experts are guessed; default 0
}

/** After an even number of committed steps, or an odd one. */
export type Parity = 0 | 1;

/** A step whose logits are wanted as they are. */
export function plainStep(tokens: number, past: number): Step {
  return { tokens, past, penalty: 1, temperature: 1, candidates: true };
}

/** One dispatch of a plan: which program, on what, with which parameters and workgroups at a given step. */
export interface Dispatch {
  readonly program: Program;
  readonly buffers: Readonly<Record<string, Ref>>;
  readonly params: (step: Step) => Readonly<Record<string, number>>;
  readonly grid: (step: Step) => Grid | { readonly indirect: Tensor; readonly offsetBytes: number };
  readonly isNeeded?: (step: Step) => boolean;
  readonly records?: RecordUse; // where it reads expert records
  readonly work?: (step: Step) => number; // multiply-adds, about; where there are many
}

/** That a dispatch reads expert records: a step can stop before it, and continue when the records are there. */
export interface RecordUse {
  readonly bank: number; // among the layers with experts
  /** What belongs to absent experts is left as it was: the dispatch may run several times, with some experts each. */
  readonly inWaves: boolean;
}

/** A typed dispatch of a kernel: names of buffers and parameters are checked by the compiler. */
export function dispatch<
  const B extends Record<string, Access>,
  const P extends Record<string, ParamType>,
  V extends Variant,
  S,
>(
  kernel: Kernel<B, P, V, S>,
  variant: V,
  use: {
    readonly buffers: { readonly [N in keyof B]?: Ref } & Readonly<Record<string, Ref>>; // all of the variant's bindings
    readonly params: (step: Step) => { readonly [N in keyof P]: number };
    readonly size: (step: Step) => S;
    readonly indirect?: Tensor; // workgroup counts come from here instead of `size`
    readonly isNeeded?: (step: Step) => boolean;
    readonly records?: RecordUse;
    readonly work?: (step: Step) => number;
  },
): Dispatch {
  const { indirect, isNeeded, records, work } = use;
  return {
    program: program(kernel, variant),
    buffers: use.buffers,
    params: use.params,
    grid: indirect ? () => ({ indirect, offsetBytes: 0 }) : (step) => kernel.grid(use.size(step), variant),
    ...(isNeeded ? { isNeeded } : {}),
    ...(records ? { records } : {}),
    ...(work ? { work } : {}),
  };
}

/** Rows of a matrix that are bound together. */
export interface MatrixPart extends WeightPart {
  readonly ref: Ref;
  readonly scales: number; // where a quantised matrix' scales begin, in u32 words from the start of the binding
}

/** What a node knows when it is lowered to GPU dispatches. */
export interface LowerContext {
  readonly maxTokens: number; // steps have 1 to this many tokens
  readonly scalar: Scalar;
  readonly subgroups: boolean;
  readonly limits: Limits;
  readonly adapterClass: AdapterClass;
  readonly contextTokens: number; // rows of the KV cache
  readonly experts: ExpertWeights | undefined;
  format(weight: Weight): FormatName;
  /** The bindings of a matrix, in the order of their rows: one, or several where it is larger than a binding. */
  parts(weight: Weight): readonly MatrixPart[];
  /** Of one dispatch at most: longer ones are cut (`pieces.ts`). */
  readonly mostMultiplyAdds: number;
  /** A scratch tensor of this node. */
  scratch(name: string, shape: TensorShape): Tensor;
  /**
   * Picks one of several equal variants of a kernel. The first legal candidate is the default; the tuner may know
   * better for `shape`.
   */
  choose<V extends Variant>(
    kernel: Choosable<V>,
    candidates: readonly V[],
    shape: string,
    make: (variant: V) => Dispatch,
  ): Dispatch;
  /** The same for what a variant does in several dispatches. */
  choosePieces<V extends Variant>(
    kernel: Choosable<V>,
    candidates: readonly V[],
    shape: string,
    make: (variant: V) => readonly Dispatch[],
  ): readonly Dispatch[];
  /** The same for ways of one or more dispatches each; the first is the default. Names are stored with tunings. */
  chooseWay(
    name: string,
    shape: string,
    ways: Readonly<Record<string, () => readonly Dispatch[]>>,
  ): readonly Dispatch[];
}

/** What a tensor's elements are stored as. */
export function scalarOf({ type }: Tensor, { scalar }: Pick<LowerContext, 'scalar'>): Scalar {
  return type === 'scalar' ? scalar : 'f32';
}

/** Values of a tensor in host memory. */
export type HostArray = Float32Array | Uint32Array;

/** What a node sees when it runs on the CPU. */
export interface RunContext {
  readonly step: Step;
  readonly contextTokens: number;
  readonly experts: CpuExpertWeights | undefined;
  /** Values of a tensor that an earlier node, or the engine, wrote. */
  floats(tensor: Tensor): Float32Array;
  words(tensor: Tensor): Uint32Array;
  /** Sets the values of a tensor. */
  put(tensor: Tensor, values: HostArray): void;
  weight(weight: Weight): Float32Array;
}

/** One op of a graph (`defineOp`): what it works on, how it runs on the GPU, and how on the CPU. */
export interface Node {
  readonly op: string;
  readonly label: string;
  readonly io: object; // the op's tensors and weights, and the numbers that describe it: for executors with a table of their own
  readonly reads: readonly (Tensor | Weight)[];
  readonly writes: readonly Tensor[];
  /** Steps that run the node; absent: all. `lower` already respects it. */
  readonly isNeeded?: (step: Step) => boolean;
  readonly lower: (context: LowerContext) => readonly Dispatch[];
  /** Absent in the package's own, which `references.ts` runs. */
  readonly run?: (context: RunContext) => void;
}

/** The same node in those steps only that want it. */
export function onlyWhen(isNeeded: (step: Step) => boolean, node: Node): Node {
  return {
    ...node,
    isNeeded: (step) => isNeeded(step) && (node.isNeeded?.(step) ?? true),
    lower: (context) =>
      node.lower(context).map((one) => ({
        ...one,
        isNeeded: (step) => isNeeded(step) && (one.isNeeded?.(step) ?? true),
      })),
  };
}

/** Nodes in order, and what they work on. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly tensors: readonly Tensor[]; // all but scratch
  readonly weights: readonly Weight[];
  readonly ids: Tensor; // u32 [tokens], input
}

/** Which experts one layer takes, and what it predicts for those behind it. All keep their values until the next step. */
export interface RouteOutputs {
  readonly specLayer: number; // among all layers of the spec
  readonly bank: number; // among the layers with experts
  readonly ids: Tensor; // u32 [tokens, topK]
  readonly weights: Tensor; // f32 [tokens, topK]
  readonly scores?: Tensor | undefined; // f32 [tokens, topK], where they are wanted and the router knows them
  /** u32 [tokens, its topK]: what the next layer with experts would take of this layer's stream, then the one after it. */
  readonly look: readonly Tensor[];
}

/** What is read of a model's graph after a step. */
export interface ModelOutputs {
  readonly routes: readonly RouteOutputs[]; // [bank]
  readonly logits: Tensor; // f32 [tokens, vocab], or [vocab] of the last token
  readonly record?: Tensor | undefined; // what sampling reads (kernels/sample/sample-record.ts), where the graph makes it
}

/** A whole model: from ids to logits. */
export interface ModelGraph extends Graph, ModelOutputs {}

/** The sampling record of a graph that was built to make one. */
export function recordOf({ record }: ModelOutputs): Tensor {
  invariant(record, () => 'this graph makes no sampling record; build it with `sample`');
  return record;
}
