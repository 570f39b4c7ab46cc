/** What a model would need, from its headers alone. */
import { guessBudgetBytes, machineFacts } from './auto-memory.ts';
import { AtomoeError } from '../../errors.ts';
import { DEFAULT_LIMITS, type AdapterFacts, type Limits } from '../../gpu/device.ts';
import type { Checkpoint } from '../../containers/checkpoint.ts';
import type { Container } from '../../containers/container.ts';
import { openCheckpoint } from '../../containers/index.ts';
import type { JsonObject } from '../../io/json-file.ts';
import { isWeightDtype } from '../../weights/dtypes.ts';
import { loadFormats, quantizedNames, type FormatName } from '../../weights/formats/index.ts';
import { boundBytes, formatStoredAs } from '../../weights/matrix.ts';
import { planExperts, savedBytes, type ExpertPlan } from '../../experts/expert-plan.ts';
import { largestPoolBytes, poolsPerLayer } from '../../experts/pools.ts';
import type { ExpertWeights } from '../../graph/experts.ts';
import { shareBuffers, tensorSizeBytes } from '../../graph/liveness.ts';
import type { Graph, ModelGraph } from '../../graph/node.ts';
import { lower, type PlanOptions, type Tuning, type WeightFact, type WeightFacts } from '../../graph/plan.ts';
import { makeTensor, tensorsOf, type Weight } from '../../graph/tensor.ts';
import { matrixBindingBytes, type Bounds } from '../../graph/weight-parts.ts';
import type { FolderSource } from '../../io/source.ts';
import { buildGraph, type Model, type ModelFamily } from '../../blocks/family.ts';
import type { GraphPurpose } from '../../blocks/purpose.ts';
import { expertLayers, type ExpertLayer } from '../../blocks/read.ts';
import { beginBlocks } from '../../blocks/table.ts';
import { findFamily } from '../../models/registry.ts';
import { numbersOf, readRouted } from './read-model.ts';
import { textModelOf } from './text-model.ts';
import type { ModelSpec } from '../../models/spec.ts';
import { SAMPLE_RECORD_BYTES } from '../../graph/ops/sample.ts';
import { checkTensors } from './checkpoint-check.ts';
import { oneOf } from '../checks.ts';
import { endsOf } from '../talk/generation-defaults.ts';
import type {
  ExpertNumbers,
  LoadOptions,
  LossyOptions,
  ModelPlan,
  PlanNote,
  StreamingOptions,
} from '../api.ts';
import type { NotedModel } from './plan-notes.ts';
import {
  allSlots,
  canHoldAll,
  fewerSlots,
  fewestSlots,
  mostUnits,
  slotsFor,
  slotsWithin,
  type SlotNeeds,
  type SlotPlan,
} from './slots.ts';
import { densePartsOf, type ReadContext } from './weights.ts';

/** Tokens of one prefill step at most. Depends on nothing, so that results do not either. */
const MOST_CHUNK_TOKENS = 256;

/** Layers ahead whose experts a token can guess; steps that do not want it skip it. */
const MOST_LOOKAHEAD = 2;

/** Default length of the KV cache: the model's own, at most this. */
const MOST_DEFAULT_CONTEXT = 4096;

/** A model whose headers were read and whose graphs were built; no weight is loaded yet. */
export interface Drafted extends Model {
  readonly notes: readonly PlanNote[];
  readonly checkpoint: Checkpoint;
  readonly context: ReadContext;
  readonly expertLayers: readonly ExpertLayer[];
  readonly experts: ExpertPlan | undefined;
  readonly numbers: ExpertNumbers | undefined; // that experts had in the model that this one is made of
  readonly contextTokens: number;
  readonly chunkTokens: number;
  readonly decode: ModelGraph;
  readonly prefill: ModelGraph;
  readonly lossy: Required<LossyOptions>;
}

/** What a caller brings beside the built-in parts. */
export interface Extensions {
  readonly families?: readonly ModelFamily[];
  readonly containers?: readonly Container[];
}

/**
 * Opens a folder and builds the model's graphs.
 *
 * @throws {AtomoeError} bad-file; unsupported-model; bad-input - an option out of range; network and the like
 */
export async function draftModel(
  folder: FolderSource,
  options: LoadOptions,
  { families = [], containers = [] }: Extensions = {},
): Promise<Drafted> {
  const { signal, quantize, expertBits } = options;
  if (quantize !== undefined) oneOf(...quantizedNames())(quantize, 'quantize');
  const accept = (config: JsonObject, label: string) => {
    const family = findFamily(config, label, families);
    // What is awaited below comes while headers are read.
    loadFormats([quantize]).catch(() => {});
    if (!('load' in family)) return;
    family.load().catch(() => {});
    beginBlocks(family.blocks);
  };
  const opened = await openCheckpoint(folder, { signal, accept }, containers);
  let checkpoint = opened;
  try {
    checkpoint = await textModelOf(opened, families);
    const { records } = checkpoint;
    const parts = Object.values(records?.layout.parts ?? {});
    const formats = parts.map(({ format }) => format);
    const fewer = expertBits === undefined ? [] : [`nested${expertBits}`];
    await loadFormats([quantize, ...formats, ...fewer, ...storedFormats(checkpoint)]);
    const hasBits = expertBits !== undefined || records?.levels;
    const bits = hasBits ? await import('../../experts/expert-bits.ts') : undefined;
    const model = await readRouted(checkpoint, families, options);
    const { spec, blocks } = model;
    const contextTokens = contextOf(options, spec);
    const context: ReadContext = { checkpoint, quantize, signal };
    const lossy = { skipBelow: 0, dropColdBelow: 0, ...options.lossy };
    const { decode, prefill } = modelGraphs(model, { contextTokens, lossy });
    const layers = expertLayers(spec, blocks);
    const experts = planExperts(layers, { checkpoint, quantize, expertBits, bits });
    const numbers = await numbersOf(checkpoint, layers);
    checkTensors(spec, layers, [decode, prefill], context);
    return {
      ...model,
      notes: await notesOn({ checkpoint, spec, contextTokens, experts }),
      checkpoint,
      context,
      expertLayers: layers,
      experts,
      numbers,
      contextTokens,
      chunkTokens: Math.min(MOST_CHUNK_TOKENS, contextTokens),
      lossy,
      decode,
      prefill,
    };
  } catch (error) {
    checkpoint.dispose();
    throw (await checkpoint.inOwnWords?.(error)) ?? error;
  }
}

/** What a plan says beside its sizes; words for that are loaded where there is something to say. */
async function notesOn(model: NotedModel): Promise<readonly PlanNote[]> {
  const { checkpoint, spec, experts } = model;
  const { generationConfig, unrangedBytes, unverified, expanded } = checkpoint;
  const isPlain =
    !generationConfig && unrangedBytes === 0 && unverified === undefined && expanded === undefined;
  if (isPlain && savedBytes(experts) === 0 && endsOf(spec).beyond.length === 0) return [];
  const { notesOf } = await import('./plan-notes.ts');
  return notesOf(model);
}

/** The graphs of single tokens and of prompts; with hooks, those that requests with hooks run. */
export function modelGraphs(
  model: Model,
  { contextTokens, lossy }: Pick<Drafted, 'contextTokens' | 'lossy'>,
  hooks?: GraphPurpose['hooks'],
): Pick<Drafted, 'decode' | 'prefill'> {
  const purpose = { sample: true, contextTokens, skipBelow: lossy.skipBelow, hooks };
  return {
    decode: buildGraph(model, { ...purpose, logits: 'all', lookahead: MOST_LOOKAHEAD }),
    prefill: buildGraph(model, { ...purpose, logits: 'last' }),
  };
}

/** The formats that keep the bits of a file's tensors. */
function storedFormats(checkpoint: Checkpoint): Set<FormatName> {
  const formats = new Set<FormatName>();
  for (const name of checkpoint.names()) {
    const { dtype } = checkpoint.tensor(name) ?? {};
    if (dtype && isWeightDtype(dtype)) formats.add(formatStoredAs(dtype));
  }
  return formats;
}

function contextOf({ contextTokens }: LoadOptions, spec: ModelSpec): number {
  if (contextTokens === undefined) return Math.min(spec.maxContextTokens, MOST_DEFAULT_CONTEXT);
  if (Number.isInteger(contextTokens) && contextTokens >= 1 && contextTokens <= spec.maxContextTokens) {
    return contextTokens;
  }
  throw new AtomoeError(
    'bad-input',
    `contextTokens is ${contextTokens}; this model takes 1 to ${spec.maxContextTokens}; choose a number in between`,
  );
}

/** Where nothing is loaded yet: formats from the headers, placeholders for the pools. */
export function weightFacts({ context, experts }: Drafted, limits: Limits, bounds: Bounds): WeightFacts {
  return {
    weight: (weight) => factOf(weight, context, matrixBindingBytes(limits, bounds)),
    experts: experts && standIn(experts, limits.maxBindingBytes),
  };
}

/** The layout that a weight will have: its parts, and the scales of each. */
function factOf(weight: Weight, context: ReadContext, mostBytes: number): WeightFact {
  return {
    parts: densePartsOf(weight, context, mostBytes).map(({ scalesOffsetBytes, ...part }) => ({
      ...part,
      scalesWords: scalesOffsetBytes / 4,
    })),
  };
}

function standIn(experts: ExpertPlan, maxBindingBytes: number): ExpertWeights {
  const pool = makeTensor('expert pool', { role: 'state' });
  return {
    unitsPerLayer: experts.unitsPerLayer,
    units: (layer) => experts.units(layer),
    layout: (layer) => experts.layout(layer),
    table: makeTensor('expert table', { role: 'state' }),
    pools: () => Array.from({ length: poolsPerLayer(experts, maxBindingBytes) }, () => pool),
  };
}

/** A plan with what loading needs of it. */
export interface Sized {
  readonly fixedBytes: number; // all but experts
  readonly plan: Omit<ModelPlan, 'adapter'>;
  readonly slots: SlotPlan | undefined; // none where the model has no routed experts
  readonly fewer: (slots: SlotPlan) => SlotPlan | undefined; // where the GPU refuses that many
  readonly limits: Partial<Limits>; // what the device has to allow
  readonly dispatches: { readonly decode: number; readonly prefill: number };
}

const READBACKS = 3; // sampling records under way at a time
const MOST_RECORD_PARTS = 1 + MOST_LOOKAHEAD; // of what a layer says: its own experts, and those of layers behind it

/** How many dispatches both plans have, and which buffers their activations share. Allocates nothing. */
function lowerBoth(
  drafted: Drafted,
  adapter: AdapterFacts,
  { scalar, bounds }: { scalar: PlanOptions['scalar']; bounds: Bounds },
) {
  const { contextTokens, chunkTokens } = drafted;
  const facts = weightFacts(drafted, adapter.limits, bounds);
  const tuning: Tuning = new Map();
  const lowered = (graph: Graph, maxTokens: number) => {
    const options = { label: 'plan', maxTokens, contextTokens, scalar, tuning, ...bounds };
    const { dispatches } = lower(adapter, graph, facts, options);
    const sizes = shareBuffers(dispatches, maxTokens, scalar, { keepCuts: maxTokens === 1 }).map(
      ({ sizeBytes }) => sizeBytes,
    );
    return { dispatches: dispatches.length, sizes };
  };
  return { decode: lowered(drafted.decode, 1), prefill: lowered(drafted.prefill, chunkTokens) };
}

/** An identifier or a name; a file may have anything there. */
const MOST_LICENSE_LETTERS = 100;

/** Adds up what a drafted model takes on an adapter. Loads nothing. */
export function sizeModel(
  drafted: Drafted,
  adapter: AdapterFacts,
  options: LoadOptions,
  { expertBindingBytes = Infinity, ...bounds }: Bounds & { readonly expertBindingBytes?: number } = {}, // for tests
): Sized {
  const { experts, contextTokens, checkpoint, spec } = drafted;
  const { fixed, largest, dispatches } = fixedNeeds(drafted, adapter, options, bounds);
  const deviceBytes = Math.max(largest.sizeBytes, DEFAULT_LIMITS.maxBindingBytes);
  const needs = slotNeeds(drafted, Math.min(expertBindingBytes, deviceBytes, adapter.limits.maxBindingBytes));
  const fixedBytes = sum(Object.values(fixed));
  const slots = needs && chooseSlots(needs, budgetOf(options) - fixedBytes, options.streaming);
  const gpuTotal = fixedBytes + (slots?.sizeBytes ?? 0);
  const fewest = needs ? fewestSlots(needs).sizeBytes : 0;
  const allExperts = experts ? experts.records * experts.recordBytes : 0;
  const why = fits(adapter, { largest, gpuTotal }, options);
  const license = checkpoint.metadata['general.license']?.slice(0, MOST_LICENSE_LETTERS);
  return {
    slots,
    fixedBytes,
    fewer: (plan) => needs && fewerSlots(needs, plan, options.streaming ?? {}),
    limits: {
      maxBindingBytes: largest.sizeBytes,
      maxBufferSizeBytes: Math.max(largest.sizeBytes, DEFAULT_LIMITS.maxBufferSizeBytes),
    },
    dispatches,
    plan: {
      family: spec.family,
      layers: spec.layers.length,
      hidden: spec.hidden,
      vocab: spec.vocab,
      parameters: parametersOf(drafted),
      ...expertCounts(drafted.expertLayers),
      contextTokens,
      ...(license === undefined ? {} : { license }),
      bytes: {
        download: checkpoint.totalBytes - savedBytes(experts),
        ...fixed,
        oneExpert: experts?.expertSizeBytes ?? 0,
        allExperts,
        experts: slots?.sizeBytes ?? 0,
        perToken: needs && experts ? mostUnits(needs) * experts.layers * experts.recordBytes : 0,
        gpuTotal,
        least: Math.min(fixedBytes + fewest, gpuTotal),
      },
      streams: slots?.streams ?? false,
      unitsPerLayer: experts?.unitsPerLayer ?? 0,
      slotsPerLayer: slots?.places ?? 0,
      cacheRatio: slots && needs ? slots.places / mostUnits(needs) : 0,
      fits: why === '',
      why,
      refusedKernels: [],
      notes: drafted.notes,
    },
  };
}

/** Weights that are read, as often as graphs have them. */
function parametersOf({ decode, expertLayers: layers }: Drafted): number {
  const dense = decode.weights.filter(({ source }) => source.kind !== 'computed');
  const experts = layers.map(
    (layer) => layer.experts * sum(Object.values(layer.parts).map(({ shape: [rows, cols] }) => rows * cols)),
  );
  return sum(dense.map(({ rows, cols }) => rows * cols)) + sum(experts);
}

/** What a model needs apart from its experts, and the largest item that must fit one binding. */
function fixedNeeds(drafted: Drafted, adapter: AdapterFacts, options: LoadOptions, bounds: Bounds) {
  const { experts, context, decode } = drafted;
  const scalar = options.activations === 'f16' ? 'f16' : 'f32';
  const plans = lowerBoth(drafted, adapter, { scalar, bounds });
  const dispatches = { decode: plans.decode.dispatches, prefill: plans.prefill.dispatches };
  const mostBytes = matrixBindingBytes(adapter.limits, bounds);
  const weights = decode.weights.flatMap((weight) => needs(weight, context, mostBytes));
  const states = decode.tensors
    .filter(({ role }) => role === 'state')
    .map((tensor) => ({ what: `the cache "${tensor.name}"`, sizeBytes: tensorSizeBytes(tensor, 0, scalar) }));
  const activationSizes = [...plans.decode.sizes, ...plans.prefill.sizes];
  // Of all experts, even where fewer are to be held: what kernels bind does not depend on the budget.
  const poolBytes = experts ? largestPoolBytes(experts, adapter.limits.maxBindingBytes) : 0;
  const largest = [
    ...weights,
    ...states,
    { what: 'the work space of a prompt', sizeBytes: Math.max(...activationSizes) },
    { what: 'the largest buffer of experts', sizeBytes: poolBytes },
  ].reduce((most, next) => (next.sizeBytes > most.sizeBytes ? next : most));
  const fixed = {
    dense: sum(weights.map(({ sizeBytes }) => sizeBytes)),
    kvCache: sum(states.map(({ sizeBytes }) => sizeBytes)),
    activations: sum(activationSizes) + 256 * (dispatches.decode + dispatches.prefill),
    staging: stagingBytes(drafted),
  };
  return { fixed, largest, dispatches };
}

/** A GPU that refuses this much gets fewer slots. */
export function budgetOf({ memoryBudget = 'auto' }: LoadOptions): number {
  if (memoryBudget !== 'auto') return memoryBudget;
  return guessBudgetBytes(machineFacts());
}

function slotNeeds(
  { experts, expertLayers: layers }: Drafted,
  maxBindingBytes: number,
): SlotNeeds | undefined {
  if (!experts) return undefined;
  const topK = Math.max(...layers.map(({ most }) => most));
  return { experts, topK, canSplit: layers.every(({ inWaves }) => inWaves), maxBindingBytes };
}

/** As asked for; else all experts where they fit; else as many as fit; else the fewest that work, which is refused. */
function chooseSlots(needs: SlotNeeds, roomBytes: number, streaming: StreamingOptions = {}): SlotPlan {
  const { slotsPerLayer } = streaming;
  if (slotsPerLayer !== undefined && slotsPerLayer < needs.experts.unitsPerLayer) {
    return slotsFor(needs, checkSlots(needs, slotsPerLayer), streaming);
  }
  const all = canHoldAll(needs) ? allSlots(needs, streaming) : undefined;
  if (all && all.sizeBytes <= roomBytes) return all;
  return slotsWithin(needs, roomBytes, streaming) ?? fewestSlots(needs);
}

function checkSlots(needs: SlotNeeds, slotsPerLayer: number): number {
  const least = mostUnits(needs);
  if (Number.isInteger(slotsPerLayer) && slotsPerLayer >= least) return slotsPerLayer;
  throw new AtomoeError(
    'bad-input',
    `slotsPerLayer is ${slotsPerLayer}; one token needs ${least} of a layer; choose at least that, or leave it out`,
  );
}

/** What comes back from the GPU: sampling records, routes, and a row of logits when somebody asks. */
function stagingBytes({ spec, decode, chunkTokens }: Drafted): number {
  const topKs = decode.routes.map(({ ids }) => ids.perToken);
  const routeBytes = 8 * sum(topKs);
  const mostTopK = Math.max(0, ...topKs);
  const records = (2 * topKs.length + 2) * 4 * mostTopK * MOST_RECORD_PARTS;
  return (
    READBACKS * (SAMPLE_RECORD_BYTES + routeBytes) + records + 4 * mostTopK * chunkTokens + 4 * spec.vocab
  );
}

/** Of the layer that has most; 0 where no layer has any. */
function expertCounts(layers: readonly ExpertLayer[]): Pick<ModelPlan, 'experts' | 'expertsPerToken'> {
  return {
    experts: Math.max(0, ...layers.map(({ experts }) => experts)),
    expertsPerToken: Math.max(0, ...layers.map(({ most }) => most)),
  };
}

/** Something that must fit one binding. */
interface Need {
  readonly what: string;
  readonly sizeBytes: number;
}

/** One for each part of a weight. */
function needs(weight: Weight, context: ReadContext, mostBytes: number): Need[] {
  const { name } = weight;
  const [first] = tensorsOf(weight);
  const file = first === undefined ? undefined : context.checkpoint.tensor(first)?.file;
  const what = `${file ? `${file} ` : ''}tensor "${name}"`;
  return densePartsOf(weight, context, mostBytes).map(({ sizeBytes }) => ({
    what,
    sizeBytes: boundBytes(sizeBytes),
  }));
}

function fits(
  { limits }: AdapterFacts,
  { largest, gpuTotal }: { largest: Need; gpuTotal: number },
  options: LoadOptions,
): string {
  const budget = budgetOf(options);
  const most = Math.min(limits.maxBindingBytes, limits.maxBufferSizeBytes);
  if (largest.sizeBytes > most) {
    return `${largest.what} needs a ${largest.sizeBytes}-byte binding, this adapter allows ${most}; quantize, shorten the context, or choose a smaller model`;
  }
  if (gpuTotal > budget) {
    return `it needs ${gpuTotal} bytes of GPU memory at least, the budget is ${budget}; quantize, shorten the context, or raise memoryBudget to ${gpuTotal}`;
  }
  return '';
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
