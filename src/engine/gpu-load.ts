/** Brings a model onto a GPU device: weights, experts, pipelines, tuning. */
import { AtomoeError, invariant } from '../errors.ts';
import { ema, lru, type MakePolicy } from '../experts/policy.ts';
import { ExpertStore } from '../experts/store.ts';
import { ExpertStreamer } from '../experts/streamer.ts';
import { RecordTiers } from '../experts/tiers.ts';
import { slice } from '../gpu/buffer.ts';
import type { Gpu } from '../gpu/device.ts';
import { submit } from '../gpu/recorder.ts';
import type { Graph } from '../graph/node.ts';
import { lower, Plan, type GpuWeight, type Resources, type Tuning } from '../graph/plan.ts';
import type { Scalar, Weight } from '../graph/tensor.ts';
import { buildGraph } from '../models/graph.ts';
import type { LoadProgress, StreamingOptions } from './api.ts';
import { GpuRunner } from './gpu-runner.ts';
import type { Drafted } from './planning.ts';
import type { SlotPlan } from './slots.ts';
import { StreamedSteps, type RouteTensors } from './streamed-steps.ts';
import { tuneModel, type PlanSpec, type TuningOptions } from './tuning.ts';
import { readWeight } from './weights.ts';

export interface GpuLoadOptions {
  readonly scalar: Scalar;
  readonly onProgress: (progress: LoadProgress) => void;
  readonly tuning: TuningOptions;
  readonly slots: SlotPlan | undefined;
  readonly streaming: StreamingOptions;
  readonly budgetBytes: number; // of GPU memory, from when the model is loaded
  readonly testing: StreamTesting;
}

/** What tests turn to show that results do not depend on it. */
export interface StreamTesting {
  /** Which place of its layer an expert takes: a permutation. */
  readonly place?: (unit: number, layer: number) => number;
  /** Fills evicted slots with this word. */
  readonly poison?: number;
  /** Changes predictions before they are followed. */
  readonly mistake?: (layer: number, units: Uint32Array, count: number) => void;
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
  const { scalar, onProgress } = options;
  const { contextTokens, chunkTokens } = drafted;
  const weights = await uploadWeights(gpu, drafted, options, held);
  const store = await openStore(gpu, drafted, options, held);
  const streams = options.slots?.streams ?? false;
  const scratch = streams ? await openScratch(gpu, drafted, options, held) : undefined;
  if (store && !streams) await uploadExperts(drafted, store, options);
  if (gpu.isLost)
    throw new AtomoeError('device-lost', 'the GPU device was lost while loading; load the model again');
  const resources: Resources = {
    weight: (weight: Weight) => {
      const found = weights.get(weight.name);
      invariant(found, () => `weight ${weight.name} was not loaded`);
      return found;
    },
    experts: store,
  };
  const prefillResources = { ...resources, experts: scratch ?? store };
  const decodeGraph = streams ? lookingGraph(drafted, options.streaming) : drafted.decode;
  const common = { contextTokens, scalar };
  const specs: readonly PlanSpec[] = [
    {
      graph: decodeGraph,
      resources,
      options: { ...common, label: 'decode', maxTokens: 1, keepCuts: true },
    },
    {
      graph: drafted.prefill,
      resources: prefillResources,
      options: { ...common, label: 'prefill', maxTokens: chunkTokens },
    },
  ];
  const standIns = streams ? [store, scratch] : [];
  const { tuning, decode, prefill } = await openTuned(gpu, specs, standIns, options, held);
  const routes = routeTensors(decodeGraph);
  const streamed =
    store && streams ? openStreaming(gpu, drafted, options, { store, scratch, routes }) : undefined;
  gpu.budgetBytes = options.budgetBytes;
  onProgress({ kind: 'ready' });
  return new GpuRunner({
    gpu,
    drafted,
    scalar,
    weights,
    store,
    streamed,
    routes,
    prefillResources,
    tuning,
    decode,
    prefill,
  });
}

/** Tunes and opens the plans of decode and prefill. Kernels are timed on experts that are there, whatever they hold. */
async function openTuned(
  gpu: Gpu,
  specs: readonly PlanSpec[],
  standIns: readonly (ExpertStore | undefined)[],
  { tuning: how, onProgress }: GpuLoadOptions,
  held: { dispose(): void }[],
): Promise<{ tuning: Tuning; decode: Plan; prefill: Plan }> {
  for (const store of standIns) store?.pretendAll();
  const tuning = await tuneModel(gpu, specs, how, onProgress);
  for (const store of standIns) store?.clear();
  const [decode, prefill] = await openPlans(gpu, specs, tuning, onProgress, held);
  invariant(decode && prefill, () => 'plans');
  return { tuning, decode, prefill };
}

/** The decode graph whose layers also say what the next ones will probably need. */
function lookingGraph({ family, spec, contextTokens }: Drafted, { lookahead = 1 }: StreamingOptions): Graph {
  return buildGraph(family, spec, { logits: 'all', sample: true, contextTokens, lookahead });
}

const POLICIES: Readonly<Record<string, (options: StreamingOptions) => MakePolicy>> = {
  ema: () => ema(),
  lru: () => lru(),
};

const DEFAULT_HOST_BYTES = 2 ** 30;

function openStreaming(
  gpu: Gpu,
  { experts, context, chunkTokens, spec }: Drafted,
  { streaming, testing }: GpuLoadOptions,
  made: { store: ExpertStore; scratch: ExpertStore | undefined; routes: readonly RouteTensors[] },
): StreamedSteps {
  invariant(experts, () => 'streaming without experts');
  const { policy = 'ema', hostBudget = DEFAULT_HOST_BYTES, runAhead = 'auto' } = streaming;
  const { layout, unitsPerLayer } = experts;
  const tiers = new RecordTiers({
    units: unitsPerLayer,
    recordBytes: layout.sizeBytes,
    hostBytes: hostBudget,
    read: (layer, unit, signal) => experts.read(layer, unit, { ...context, signal }),
  });
  const topK = Math.max(...made.routes.map((route) => route.topK));
  const makePolicy = POLICIES[policy];
  invariant(makePolicy, () => `policy ${policy}`);
  const streamer = new ExpertStreamer({
    store: made.store,
    scratch: made.scratch,
    tiers,
    topK,
    policy: makePolicy(streaming),
    copy: (copies) => submit(gpu, [], copies),
    poison:
      testing.poison === undefined
        ? undefined
        : new Uint8Array(new Uint32Array(layout.sizeBytes / 4).fill(testing.poison).buffer),
  });
  const mlp = spec.layers.find(({ mlp }) => mlp.kind !== 'dense')?.mlp;
  const perLayer = mlp && mlp.kind !== 'dense' ? mlp.experts : unitsPerLayer;
  return new StreamedSteps({
    gpu,
    streamer,
    routes: made.routes,
    unitExperts: perLayer / unitsPerLayer,
    chunkTokens,
    runAhead,
    mistake: testing.mistake,
  });
}

async function openStore(
  gpu: Gpu,
  { experts }: Drafted,
  { slots, testing }: GpuLoadOptions,
  held: { dispose(): void }[],
): Promise<ExpertStore | undefined> {
  if (!experts || !slots) return undefined;
  const store = await ExpertStore.open(gpu, experts, { slots, place: testing.place });
  held.push(store);
  return store;
}

/** Slots for prompts, where decoding has too few. */
async function openScratch(
  gpu: Gpu,
  { experts }: Drafted,
  { slots }: GpuLoadOptions,
  held: { dispose(): void }[],
): Promise<ExpertStore | undefined> {
  if (!experts || !slots || slots.scratch === 0) return undefined;
  const counts = { places: slots.scratch, reserved: 0 };
  const scratch = await ExpertStore.open(gpu, experts, { label: 'scratch', slots: counts, isShared: true });
  held.push(scratch);
  return scratch;
}

/** Opens the plans one after another; progress counts the programs of all of them, each once. */
async function openPlans(
  gpu: Gpu,
  specs: readonly PlanSpec[],
  tuning: Tuning,
  onProgress: (progress: LoadProgress) => void,
  held: { dispose(): void }[],
): Promise<Plan[]> {
  const keysOf = ({ graph, resources, options }: PlanSpec) =>
    lower(gpu, graph, resources, { ...options, tuning }).dispatches.map(({ program }) => program.key);
  const totalPipelines = new Set(specs.flatMap(keysOf)).size;
  const done = new Set<string>();
  const plans: Plan[] = [];
  for (const { graph, resources, options } of specs) {
    const plan = await Plan.open(gpu, graph, resources, { ...options, tuning }, (key) => {
      done.add(key);
      onProgress({ kind: 'compiling', donePipelines: done.size, totalPipelines });
    });
    held.push(plan);
    plans.push(plan);
  }
  return plans;
}

/** Where the layers of a graph say which experts they take, and which the next layers probably will. */
function routeTensors({ outputs }: Graph): RouteTensors[] {
  const found: RouteTensors[] = [];
  for (let layer = 0; ; layer += 1) {
    const ids = outputs[`route ${layer} ids`];
    const weights = outputs[`route ${layer} weights`];
    if (!ids || !weights) return found;
    const look = [0, 1].flatMap((ahead) => outputs[`look ${layer} ${ahead} ids`] ?? []);
    found.push({ ids, weights, look, topK: ids.perToken });
  }
}

/** Counts what has come of all that will. */
function downloadProgress(
  { checkpoint, context, experts }: Drafted,
  { onProgress, slots }: GpuLoadOptions,
  startBytes = 0,
): (bytes: number) => void {
  const file = checkpoint.files[0]?.name ?? '';
  const later =
    slots?.streams && experts ? experts.layers * experts.unitsPerLayer * experts.layout.sizeBytes : 0;
  const totalBytes = Math.max(1, checkpoint.totalBytes - later);
  let doneBytes = startBytes;
  return (bytes) => {
    context.signal?.throwIfAborted();
    doneBytes = Math.min(totalBytes, doneBytes + bytes);
    onProgress({ kind: 'downloading', doneBytes, totalBytes, file });
  };
}

/** Reads the dense weights, one after another, straight into GPU memory. */
async function uploadWeights(
  gpu: Gpu,
  drafted: Drafted,
  options: GpuLoadOptions,
  held: { dispose(): void }[],
): Promise<Map<string, GpuWeight>> {
  const weights = new Map<string, GpuWeight>();
  const advance = downloadProgress(drafted, options);
  for (const weight of drafted.decode.weights) {
    const { format, bytes, scalesOffsetBytes } = await readWeight(weight, drafted.context);
    const buffer = await gpu.allocating(weight.name, () =>
      gpu.createBuffer({ label: weight.name, sizeBytes: Math.max(16, bytes.byteLength), kind: 'weights' }),
    );
    held.push(buffer);
    gpu.write(buffer, 0, bytes);
    weights.set(weight.name, { slice: slice(buffer), format, scalesWords: scalesOffsetBytes / 4 });
    advance(weight.source.kind === 'computed' ? 0 : bytes.byteLength);
  }
  return weights;
}

/** Reads every record, one after another, straight into its slot. */
async function uploadExperts(drafted: Drafted, store: ExpertStore, options: GpuLoadOptions): Promise<void> {
  const { context, experts, checkpoint } = drafted;
  invariant(experts, () => 'no experts');
  const { layers, unitsPerLayer, layout } = experts;
  const advance = downloadProgress(
    drafted,
    options,
    checkpoint.totalBytes - layers * unitsPerLayer * layout.sizeBytes,
  );
  for (let layer = 0; layer < layers; layer += 1) {
    for (let unit = 0; unit < unitsPerLayer; unit += 1) {
      const record = await experts.read(layer, unit, context);
      store.put(layer, unit, record);
      advance(record.byteLength);
    }
  }
  store.commit();
}
