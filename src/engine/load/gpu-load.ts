/** Brings a model onto a GPU device: weights, experts, pipelines, tuning. */
import { AtomoeError, invariant } from '../../errors.ts';
import { giveMemory } from '../../io/spare-memory.ts';
import { boundBytes } from '../../weights/matrix.ts';
import { slice } from '../../gpu/buffer.ts';
import type { Gpu } from '../../gpu/device.ts';
import { Refusals } from '../../graph/candidates.ts';
import type { ModelGraph } from '../../graph/node.ts';
import type { Graph } from '../../graph/node.ts';
import { lower, Plan, type GpuWeight, type Resources, type Tuning } from '../../graph/plan.ts';
import type { Scalar, Weight } from '../../graph/tensor.ts';
import { matrixBindingBytes, type Bounds } from '../../graph/weight-parts.ts';
import type { LoadOptions, LoadProgress, StreamingOptions } from '../api.ts';
import { ExpertMemory, type StreamTesting } from '../run/expert-memory.ts';
import { boundExperts, GpuExperts } from '../run/gpu-experts.ts';
import { GpuRunner } from '../run/gpu-runner.ts';
import type { Drafted } from './planning.ts';
import { downloadProgress } from './progress.ts';
import type { SlotPlan } from './slots.ts';
import type { PlanSpec, TuningOptions } from './tuning.ts';
import { placed, readWeights, type DensePiece, type ReadContext } from './weights.ts';

/** How a model is brought to a GPU. */
export interface GpuLoadOptions {
  readonly activations: NonNullable<LoadOptions['activations']>;
  readonly onProgress: (progress: LoadProgress) => void;
  readonly tuning: TuningOptions;
  readonly slots: SlotPlan | undefined;
  readonly fewer: (slots: SlotPlan) => SlotPlan | undefined; // where the GPU refuses that many
  readonly streaming: StreamingOptions;
  readonly budgetBytes: number; // of GPU memory, from when the model is loaded
  readonly testing: StreamTesting;
  readonly bounds?: Bounds | undefined; // for tests
}

/**
 * Uploads the weights, compiles all pipelines, tunes. When anything fails, nothing stays in GPU memory.
 *
 * @throws {AtomoeError} bad-file; non-finite; out-of-memory; limit-too-small; shader; network and the like
 */
export async function openGpuRunner(gpu: Gpu, drafted: Drafted, options: GpuLoadOptions): Promise<GpuRunner> {
  const held: { dispose(): void }[] = [];
  try {
    return await openRunner(gpu, drafted, options, held);
  } catch (error) {
    for (const item of held.reverse()) item.dispose();
    throw error;
  }
}

/** Opens what a runner consists of. What was opened before an error is in `held`. */
async function openRunner(
  gpu: Gpu,
  drafted: Drafted,
  options: GpuLoadOptions,
  held: { dispose(): void }[],
): Promise<GpuRunner> {
  const { activations, onProgress, slots, bounds = {} } = options;
  const scalar: Scalar = activations === 'f16' ? 'f16' : 'f32';
  const { contextTokens, chunkTokens, decode, prefill, experts, checkpoint, context } = drafted;
  gpu.budgetBytes = options.budgetBytes;
  beginRequests(options);
  const advance = downloadProgress(drafted, options);
  const weights = await uploadWeights(gpu, decode, context, held, { advance, bounds });
  const device = new GpuExperts(gpu, drafted);
  const memory = experts && slots && (await ExpertMemory.open(device, drafted, { ...options, slots }));
  if (memory) held.push(memory);
  const weight = (wanted: Weight) => {
    const found = weights.get(wanted.name);
    invariant(found, () => `weight ${wanted.name} was not loaded`);
    return found;
  };
  const bound = memory && boundExperts(memory);
  const forTokens: Resources = { weight, experts: bound?.forTokens };
  const forPrompts: Resources = { weight, experts: bound?.forPrompts };
  const refusals = new Refusals();
  const common = { contextTokens, scalar, refusals, ...bounds };
  const tokens = { ...common, label: 'decode', maxTokens: 1, keepCuts: true };
  const prompts = { ...common, label: 'prefill', maxTokens: chunkTokens };
  const specs: readonly PlanSpec<ModelGraph>[] = [
    { graph: decode, resources: forTokens, options: tokens },
    { graph: prefill, resources: forPrompts, options: prompts },
  ];
  const tune = () => gpu.withoutBudget(() => chooseKernels(gpu, specs, options, refusals));
  const tuning = memory ? await memory.withAllPresent(tune) : await tune();
  if (memory && !memory.slots.streams) await memory.loadAll(advance, context.signal);
  const plans = await openPlans(gpu, specs, tuning, onProgress, held);
  if (gpu.isLost)
    throw new AtomoeError(
      'device-lost',
      `the GPU device was lost while loading ${checkpoint.label}; load it again`,
    );
  onProgress({ kind: 'ready' });
  const shared = { gpu, drafted, scalar, bounds, weights, memory, forTokens, forPrompts, tuning, refusals };
  return new GpuRunner({ ...shared, ...plans });
}

/** Requests the code that only some loads need, beside the weights: who needs it gets the error, if there is one. */
function beginRequests({ slots, tuning }: GpuLoadOptions): void {
  const streams = slots?.streams && import('../run/streaming.ts');
  const times = tuning.mode === 'auto' && import('./tuning.ts');
  void Promise.allSettled([streams, times]);
}

/** The kernels that are chosen: the caller's, the defaults, or the fastest. */
export async function chooseKernels(
  gpu: Gpu,
  specs: readonly PlanSpec[],
  { tuning: { mode, store }, onProgress }: Pick<GpuLoadOptions, 'tuning' | 'onProgress'>,
  refusals: Refusals,
): Promise<Tuning> {
  if (mode === 'off') return new Map();
  if (mode !== 'auto') return mode;
  const [{ tuneModel }, { indexedDbTuning }] = await Promise.all([
    import('./tuning.ts'),
    import('./tuning-store.ts'),
  ]);
  return tuneModel(gpu, specs, { store: store ?? indexedDbTuning(), refusals }, onProgress);
}

/** Opens the plans one after another; progress counts the programs of all of them, each once. */
async function openPlans(
  gpu: Gpu,
  specs: readonly PlanSpec<ModelGraph>[],
  tuning: Tuning,
  onProgress: (progress: LoadProgress) => void,
  held: { dispose(): void }[],
): Promise<{ decode: Plan<ModelGraph>; prefill: Plan<ModelGraph> }> {
  const keysOf = ({ graph, resources, options }: PlanSpec) =>
    lower(gpu, graph, resources, { ...options, tuning }).dispatches.map(({ program }) => program.key);
  const totalPipelines = new Set(specs.flatMap(keysOf)).size;
  const done = new Set<string>();
  const plans: Plan<ModelGraph>[] = [];
  for (const { graph, resources, options } of specs) {
    const plan = await Plan.open(gpu, graph, resources, { ...options, tuning }, (key) => {
      done.add(key);
      onProgress({ kind: 'compiling', donePipelines: done.size, totalPipelines });
    });
    held.push(plan);
    plans.push(plan);
  }
  const [decode, prefill] = plans;
  invariant(decode && prefill, () => 'plans');
  return { decode, prefill };
}

/** Reads the dense weights, several at a time, and writes them into GPU memory in their order. `held` gets what is to be disposed of. */
export async function uploadWeights(
  gpu: Gpu,
  graph: Pick<Graph, 'weights'>,
  context: ReadContext,
  held: { dispose(): void }[],
  { advance = () => {}, bounds = {} }: { advance?: (bytes: number) => void; bounds?: Bounds } = {},
): Promise<Map<string, GpuWeight>> {
  const mostBytes = matrixBindingBytes(gpu.limits, bounds);
  const weights = new Map<string, GpuWeight>();
  const bufferFor = async ({ weight: { name }, part, slice: { firstRow: begun } }: DensePiece) => {
    const before = weights.get(name)?.parts ?? [];
    const last = before.at(-1);
    if (begun > 0 && last) return last.slice.buffer;
    const { firstRow, rows, format, scalesOffsetBytes } = part;
    const sizeBytes = boundBytes(part.sizeBytes);
    const buffer = await gpu.allocating(name, () =>
      gpu.createBuffer({ label: name, sizeBytes, kind: 'weights' }),
    );
    held.push(buffer);
    const uploaded = { firstRow, rows, format, slice: slice(buffer), scalesWords: scalesOffsetBytes / 4 };
    weights.set(name, { parts: [...before, uploaded] });
    return buffer;
  };
  for await (const [piece, bytes] of readWeights(graph, context, mostBytes)) {
    const { weight } = piece;
    const buffer = await bufferFor(piece);
    for (const { offsetBytes, bytes: some } of placed(piece, bytes)) gpu.write(buffer, offsetBytes, some);
    if (weight.source.kind === 'checkpoint') giveMemory(bytes);
    advance(weight.source.kind === 'computed' ? 0 : bytes.byteLength);
  }
  return weights;
}
