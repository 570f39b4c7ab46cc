/** What an op sees when a step runs in WebAssembly. */
import type { Step } from '../graph/node.ts';
import type { Tensor, Weight } from '../graph/tensor.ts';
import type { WeightPart } from '../graph/weight-parts.ts';
import { weightFormat, type FormatName } from '../weights/formats/index.ts';
import type { RecordLayout } from '../weights/record.ts';
import { FIRST_CODED, INT8 } from './kernels.ts';
import type { Address, FormatCode, FormatKernels, SimdKernels } from './kernels.ts';
import type { SimdMemory } from './memory.ts';

/** A dense weight as it is in a memory. */
export interface SimdWeight {
  readonly memory: SimdMemory;
  readonly parts: readonly SimdWeightPart[]; // in row order; one unless formats differ
}

/** Rows of a dense weight in one format. */
export interface SimdWeightPart extends WeightPart {
  readonly format: FormatName;
  readonly at: Address;
  readonly scalesAt: Address; // 0 where the format has none
}

/** The routed experts: records in memories, each layer's in one. */
export interface SimdExperts {
  units(bank: number): number;
  layout(bank: number): RecordLayout;
  memory(bank: number): SimdMemory;
  /** u32 [units] in the layer's memory: where each record is; 0 where it is absent. */
  table(bank: number): Address;
  /**
   * Makes what the tokens chose ready, and runs `wave` once all of it is there; in several waves, each with some of the
   * experts, where they do not fit at once.
   *
   * @param ids - u32 [tokens, topK]
   * @throws {AtomoeError} network, integrity and the like
   */
  use(bank: number, ids: Uint32Array, tokens: number, wave: Wave, signal?: AbortSignal): void | Promise<void>;
}

/** Computes what the experts that are there now add. */
export type Wave = () => void | Promise<void>;

/** A kernel that computes outputs [first, end): its last two arguments. */
type RangeKernel = (...args: number[]) => void;

/** A kernel of a memory's instance, by its name. */
export interface Kernel<F> {
  readonly name: string;
  readonly memory: SimdMemory;
  readonly call: F;
}

type WithoutRange<T extends readonly unknown[]> = T extends [...infer Head, number, number] ? Head : never;

/** A call of a kernel for all of its outputs. */
export interface Work {
  readonly kernel: Kernel<RangeKernel>;
  readonly args: readonly number[];
  readonly count: number;
  readonly unit: number; // ranges begin at multiples of it
  readonly multiplyAdds: number; // of one output, about
  /** Bytes that each call has to itself: their address takes the place of `SCRATCH` among the arguments. */
  readonly scratchBytes: number;
}

/** Represents the address of scratch in the arguments of a kernel. */
export const SCRATCH = NaN;

/** Work of a kernel, its arguments checked by the compiler. */
export function work<F extends (...args: never[]) => void>(
  { name, memory, call }: Kernel<F>,
  shape: Omit<Work, 'kernel' | 'args'>,
  ...args: WithoutRange<Parameters<F>>
): Work {
  const kernel = { name, memory, call: call as unknown as RangeKernel };
  return { ...shape, kernel, args: args as unknown as number[] };
}

/** One step as ops see it. */
export interface SimdRun {
  readonly step: Step;
  /** Whether products with quantised weights may see activations of 8 bits. */
  readonly int8: boolean;
  /** Holds activations and states. */
  readonly main: SimdMemory;
  readonly experts: SimdExperts | undefined;
  readonly signal: AbortSignal | undefined;
  /** Where a tensor is in `main`. */
  at(tensor: Tensor): Address;
  floats(tensor: Tensor): Float32Array<ArrayBuffer>;
  words(tensor: Tensor): Uint32Array<ArrayBuffer>;
  weight(weight: Weight): SimdWeight;
  /** Where an exact (f32) weight is in `main`. */
  exactAt(weight: Weight): Address;
  /** Bytes of `memory` that are the op's until it ends. */
  scratch(memory: SimdMemory, sizeBytes: number): Address;
  /**
   * Does work, in ranges and shared with threads where it is long, so that an abort need not wait for it. The results
   * depend on neither.
   */
  split(work: Work): void | Promise<void>;
  /** Runs the op by its reference instead: for what no kernel can do. */
  byReference(): void;
}

/** An op in WebAssembly. What it returns is awaited. */
export type SimdOp<Io extends object> = (run: SimdRun, io: Io) => void | Promise<void>;

/** A kernel that reads weights, and what it is told of their format: its first argument. */
export interface FormatKernel<F> extends Kernel<F> {
  readonly format: FormatCode;
}

/** The kernel for weights of a format; undefined where there is none, and the reference runs. */
export function formatKernel<Name extends keyof FormatKernels>(
  memory: SimdMemory,
  name: Name,
  format: FormatName,
): FormatKernel<FormatKernels[Name]> | undefined {
  const { simd } = weightFormat(format);
  if (simd === undefined || (simd >= FIRST_CODED && name.startsWith('atomic_'))) return undefined;
  return { ...kernelNamed(memory, name), format: simd };
}

/** The same for products: with activations of 8 bits where these are asked for and the format has a kernel for them. */
export function productKernel<Name extends 'linear' | 'glu'>(
  memory: SimdMemory,
  name: Name,
  format: FormatName,
  { int8 }: Pick<SimdRun, 'int8'>,
): FormatKernel<FormatKernels[Name]> | undefined {
  const kernel = formatKernel(memory, name, format);
  const isQuantized = weightFormat(format).storedAs === undefined;
  if (!kernel || !int8 || !isQuantized || kernel.format >= FIRST_CODED) return kernel;
  return { ...kernel, format: kernel.format + INT8 };
}

/** A kernel that is not one of a format. */
export function kernelNamed<Name extends keyof SimdKernels>(
  memory: SimdMemory,
  name: Name,
): Kernel<SimdKernels[Name]> {
  return { name, memory, call: memory.kernels[name] };
}

/** Does one thing after another, without waiting where nothing has to be waited for. */
export function inTurn<T>(
  list: readonly T[],
  run: (each: T, index: number) => void | Promise<void>,
): void | Promise<void> {
  for (const [index, each] of list.entries()) {
    const running = run(each, index);
    if (running)
      return running.then(() => inTurn(list.slice(index + 1), (next, i) => run(next, index + 1 + i)));
  }
}
