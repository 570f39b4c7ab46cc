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

/** The properties that change from step to step. */
export interface Step {
  readonly tokens: number;
  readonly past: number; // tokens in the KV cache before this step
  readonly penalty: number; // repetition penalty; 1 is none
  readonly temperature: number; // for the record's tempered sum; 1 for greedy decoding
  readonly candidates: boolean; // whether the record includes candidates besides the best token
  readonly mostMultiplyAdds?: number; // maximum per dispatch, for devices that are faster than plans assume
  readonly parity?: Parity; // which buffers hold the current value of states with parity; default 0
  readonly lookahead?: number; // number of following layers whose experts are predicted; default 0
  readonly editedBanks?: ReadonlySet<number> | undefined; // layers with experts whose router logits hooks change; default none
  readonly isEmbedded?: boolean; // the token's embedding is given (`ModelOutputs.embedded`) instead of looked up; default false
}

/** The number of committed steps modulo 2. */
export type Parity = 0 | 1;

/** A step without penalty, temperature or candidates. */
export function plainStep(tokens: number, past: number): Step {
  return { tokens, past, penalty: 1, temperature: 1, candidates: true };
}

/** One dispatch of a plan: its program and buffers, and parameters and workgroups as functions of the step. */
export interface Dispatch {
  readonly program: Program;
  readonly buffers: Readonly<Record<string, Ref>>;
  readonly params: (step: Step) => Readonly<Record<string, number>>;
  readonly grid: (step: Step) => Grid | { readonly indirect: Tensor; readonly offsetBytes: number };
  readonly isNeeded?: (step: Step) => boolean;
  readonly records?: RecordUse; // if it reads expert records
  readonly work?: (step: Step) => number; // approximate multiply-adds, if there are many
}

/** The expert records that a dispatch reads: a step can stop before it and continue when they have arrived. */
export interface RecordUse {
  readonly bank: number; // among the layers with experts
  /** Whether results of absent experts are left unchanged, so that the dispatch can run several times with some experts each. */
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
    readonly buffers: { readonly [N in keyof B]?: Ref } & Readonly<Record<string, Ref>>; // all bindings of the variant
    readonly params: (step: Step) => { readonly [N in keyof P]: number };
    readonly size: (step: Step) => S;
    readonly indirect?: Tensor; // supplies the workgroup counts instead of `size`
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

/** A range of rows of a matrix in one binding. */
export interface MatrixPart extends WeightPart {
  readonly ref: Ref;
  readonly format: FormatName;
  readonly scales: number; // offset of a quantised matrix's scales in the binding, in u32 words
}

/** The context in which a node is lowered to GPU dispatches. */
export interface LowerContext {
  readonly maxTokens: number; // steps have 1 to this many tokens
  readonly scalar: Scalar;
  readonly subgroups: boolean;
  readonly limits: Limits;
  readonly adapterClass: AdapterClass;
  readonly contextTokens: number; // rows of the KV cache
  readonly experts: ExpertWeights | undefined;
  /** The bindings of a matrix in row order: one, or several if its rows have several formats or it exceeds the maximum size of a binding. */
  parts(weight: Weight): readonly MatrixPart[];
  /** Maximum per dispatch: longer ones are divided (`pieces.ts`). */
  readonly mostMultiplyAdds: number;
  /** Creates a scratch tensor of this node. */
  scratch(name: string, shape: TensorShape): Tensor;
  /**
   * Chooses one of several equivalent variants of a kernel. The first legal candidate is the default; the tuner may have
   * selected another for `shape`.
   */
  choose<V extends Variant>(
    kernel: Choosable<V>,
    candidates: readonly V[],
    shape: string,
    make: (variant: V) => Dispatch,
  ): Dispatch;
  /** As `choose`, for variants that need several dispatches. */
  choosePieces<V extends Variant>(
    kernel: Choosable<V>,
    candidates: readonly V[],
    shape: string,
    make: (variant: V) => readonly Dispatch[],
  ): readonly Dispatch[];
  /** As `choose`, for named alternatives of one or more dispatches; the first is the default. Tunings store the names. */
  chooseWay(
    name: string,
    shape: string,
    ways: Readonly<Record<string, () => readonly Dispatch[]>>,
  ): readonly Dispatch[];
}

/** The storage type of a tensor's elements. */
export function scalarOf({ type }: Tensor, { scalar }: Pick<LowerContext, 'scalar'>): Scalar {
  return type === 'scalar' ? scalar : 'f32';
}

/** Values of a tensor in host memory. */
export type HostArray = Float32Array | Uint32Array;

/** The context in which a node runs on the CPU. */
export interface RunContext {
  readonly step: Step;
  readonly contextTokens: number;
  readonly experts: CpuExpertWeights | undefined;
  /** The values of a tensor, written by an earlier node or the engine. */
  floats(tensor: Tensor): Float32Array;
  words(tensor: Tensor): Uint32Array;
  /** Sets the values of a tensor. */
  put(tensor: Tensor, values: HostArray): void;
  weight(weight: Weight): Float32Array;
}

/** An op of a graph (`defineOp`): its tensors and weights, its GPU dispatches, and its CPU form. */
export interface Node {
  readonly op: string;
  readonly label: string;
  readonly io: object; // the op's tensors, weights and attributes, for executors with their own implementations
  readonly reads: readonly (Tensor | Weight)[];
  readonly writes: readonly Tensor[];
  /** Whether a step runs the node; default: always. `lower` respects it. */
  readonly isNeeded?: (step: Step) => boolean;
  readonly lower: (context: LowerContext) => readonly Dispatch[];
  /** Absent in ops of the package, which `references.ts` runs. */
  readonly run?: (context: RunContext) => void;
}

/** The node, restricted to steps for which `isNeeded` is true. */
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

/** Nodes in execution order, and their tensors and weights. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly tensors: readonly Tensor[]; // all but scratch
  readonly weights: readonly Weight[];
  readonly ids: Tensor; // u32 [tokens], input
}

/** The experts chosen in a layer, and predictions for the following layers. All keep their values until the next step. */
export interface RouteOutputs {
  readonly specLayer: number; // among all layers of the spec
  readonly bank: number; // among the layers with experts
  readonly experts: number; // of the layer; a larger id is no expert: its weight is 0
  readonly ids: Tensor; // u32 [tokens, topK]
  readonly weights: Tensor; // f32 [tokens, topK]
  readonly scores?: Tensor | undefined; // f32 [tokens, topK], if requested and supported by the router
  /** u32 [tokens, its topK]: the choice of the next layer with experts for this layer's stream, then that of the one after it. */
  readonly look: readonly Tensor[];
  /** What is decided for later layers as soon as this one's choice is: their `ids`. */
  readonly decided?: readonly { readonly bank: number; readonly ids: Tensor }[];
  /** The stream before the sublayer and the routed experts' sum, [tokens, hidden]; only executors that keep all tensors have them after a step. */
  readonly around?: { readonly stream: Tensor; readonly routed: Tensor };
  readonly hooks?: HookInputs | undefined; // of graphs with hooks, if the router takes any
}

/** The inputs of a layer's hooks, which the engine writes before a step. */
export interface HookInputs {
  readonly edits: Tensor; // f32 (kernels/routing/hook-logits.ts); read in steps whose `editedBanks` has the layer
  readonly choice: Tensor; // u32 (kernels/routing/hooked-gate.ts)
}

/** What the values of a tensor of a request have to be, besides finite numbers. */
export type RequestedValues =
  /** Ids from 0 to `experts`, which stands for none; each expert once in a row, and none that is masked. */
  | { readonly kind: 'ids'; readonly experts: number; readonly mask?: readonly number[] | undefined }
  /** Whole numbers below `count`. */
  | { readonly kind: 'labels'; readonly count: number }
  /** Numbers from 0 to 1. */
  | { readonly kind: 'shares' };

/** An input that a request gives by name: rows by position, or one for the whole request. */
export interface RequestedTensor {
  readonly name: string;
  readonly tensor: Tensor; // f32 or u32, [tokens, width] or [fixed]
  readonly values?: RequestedValues | undefined;
}

/** The outputs of a model's graph that are read after a step, and the embedding that may be written before it. */
export interface ModelOutputs {
  readonly routes: readonly RouteOutputs[]; // [bank]
  readonly logits: Tensor; // f32 [tokens, vocab], or [vocab] of the last token
  readonly record?: Tensor | undefined; // sample record (kernels/sample/sample-record.ts), if the graph computes it
  readonly embedded?: Tensor | undefined; // f32 [tokens, hidden]: embeddings of the tokens; given in steps with `isEmbedded`
  readonly requested?: readonly RequestedTensor[]; // that described routers read; default: none
}

/** A whole model: from ids to logits. */
export interface ModelGraph extends Graph, ModelOutputs {}

/** The sample record of a graph that was built with `sample`. */
export function recordOf({ record }: ModelOutputs): Tensor {
  invariant(record, () => 'this graph has no sampling record; build it with `sample`');
  return record;
}
