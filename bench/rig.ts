/** A few ops of the engine with random weights: built, lowered, tuned and run as in a model, without a model. */
import { evenRecords } from '../src/experts/pools.ts';
import { ExpertStore } from '../src/experts/store.ts';
import { recordLayout } from '../src/weights/record.ts';
import { boundBytes, matrixLayout } from '../src/weights/matrix.ts';
import { slice, type Buffer } from '../src/gpu/buffer.ts';
import type { Gpu } from '../src/gpu/device.ts';
import type { Command } from '../src/gpu/recorder.ts';
import { GraphBuilder } from '../src/graph/builder.ts';
import { tensorSizeBytes } from '../src/graph/liveness.ts';
import { plainStep, type Graph } from '../src/graph/node.ts';
import {
  Plan,
  wholeWeight,
  type GpuWeight,
  type Instance,
  type PlanOptions,
  type Resources,
  type Tuning,
} from '../src/graph/plan.ts';
import type { Tensor } from '../src/graph/tensor.ts';
import { tuneModel, type TuningStore } from '../src/engine/load/tuning.ts';
import type { FormatName } from '../src/weights/formats/index.ts';

/** Matrices of a record, and how many records. */
export interface ExpertShape {
  readonly units: number;
  readonly shapes: Readonly<Record<string, readonly [rows: number, cols: number]>>;
}

export interface RigOptions {
  readonly tokens: number;
  readonly past?: number; // tokens in the cache
  readonly format?: FormatName; // of weights that are not exact, and of expert records
  /** One layer of experts: made for this rig, or shared with others. */
  readonly experts?: ExpertShape | ExpertStore;
  readonly tuning?: Tuning | 'auto'; // default auto
  /** Values of inputs that are not random floats, by tensor name. */
  readonly inputs?: Readonly<Record<string, Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>>>;
}

/** Words that are small numbers however they are read: as two halves, or as an f32. */
function randomWords(count: number, exponent: number): Uint32Array<ArrayBuffer> {
  let state = 0x9e3779b9;
  return Uint32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state & 0x83ff_83ff) | exponent;
  });
}

const HALVES = 0x2800_2800; // halves of 1/32 to 1/16: also good as quants and as scales of quants
const FLOATS = 0x3d00_0000; // f32 of 1/32 to 1/16, of either sign

/** The same megabyte again and again: what is in the weights does not matter, where they are does. */
const PATTERN_WORDS = 2 ** 18;

function fill(gpu: Gpu, buffer: Buffer, exponent: number): void {
  const pattern = randomWords(PATTERN_WORDS, exponent);
  for (let at = 0; at < buffer.sizeBytes; at += pattern.byteLength) {
    gpu.write(buffer, at, pattern.subarray(0, Math.min(pattern.length, (buffer.sizeBytes - at) / 4)));
  }
}

/** Random floats of an input, around zero. */
function randomFloats(count: number): Float32Array<ArrayBuffer> {
  const words = randomWords(count, FLOATS);
  return Float32Array.from(new Float32Array(words.buffer), (value) => value * 8);
}

export class Rig {
  readonly plan: Plan;
  readonly tuning: Tuning;
  readonly #gpu: Gpu;
  readonly #held: { dispose(): void }[];
  readonly #instance: Instance;
  readonly #options: RigOptions;

  private constructor(
    gpu: Gpu,
    plan: Plan,
    tuning: Tuning,
    instance: Instance,
    held: { dispose(): void }[],
    options: RigOptions,
  ) {
    this.#gpu = gpu;
    this.plan = plan;
    this.tuning = tuning;
    this.#instance = instance;
    this.#held = held;
    this.#options = options;
  }

  /** Lays out weights, states and inputs, finds the fastest variants, and binds everything. */
  static async open(gpu: Gpu, build: (builder: GraphBuilder) => void, options: RigOptions): Promise<Rig> {
    const { tokens, past = 0, format = 'f32', experts } = options;
    const builder = new GraphBuilder();
    build(builder);
    const graph = builder.buildPart();
    const held: { dispose(): void }[] = [];
    const weights = weightsOf(gpu, graph, format, held);
    const store =
      experts instanceof ExpertStore ? experts : experts && (await openExperts(gpu, experts, format));
    if (store && store !== experts) held.push(store);
    const resources = {
      weight: ({ name }: { name: string }): GpuWeight => {
        const found = weights.get(name);
        if (!found) throw new Error(`no weight ${name}`);
        return found;
      },
      experts: store,
    };
    const planOptions = {
      label: 'bench',
      maxTokens: tokens,
      contextTokens: past + tokens,
      scalar: 'f32',
    } as const;
    const wanted = options.tuning ?? 'auto';
    const tuning = wanted === 'auto' ? await tune(gpu, graph, resources, planOptions) : wanted;
    const plan = await Plan.open(gpu, graph, resources, { ...planOptions, tuning });
    held.push(plan);
    const states = new Map<string, Buffer>();
    for (const tensor of graph.tensors.filter(({ role }) => role === 'state')) {
      const sizeBytes = tensorSizeBytes(tensor, 0, 'f32');
      const buffer = gpu.createBuffer({ label: tensor.name, sizeBytes, kind: 'kv-cache' });
      fill(gpu, buffer, FLOATS);
      held.push(buffer);
      states.set(tensor.name, buffer);
    }
    const rig = new Rig(gpu, plan, tuning, plan.instance(states), held, options);
    for (const tensor of graph.tensors)
      if (tensor.role === 'input' && tensor !== graph.ids) rig.#writeInput(tensor);
    await gpu.idle();
    return rig;
  }

  /** All dispatches of a step over `tokens` (default: all). */
  commands(tokens = this.#options.tokens): Command[] {
    return this.#instance.commands(plainStep(tokens, this.#options.past ?? 0));
  }

  /** Puts values into an input. */
  write(name: string, values: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): void {
    const tensor = this.plan.graph.tensors.find((one) => one.name === name);
    if (!tensor) throw new Error(`no input ${name}`);
    this.#gpu.write(this.plan.buffer(tensor), 0, values);
  }

  /** The kernel of each command: the first word of its key. */
  static kernelOf({ group }: Command): string {
    return group.pipeline.program.key;
  }

  dispose(): void {
    for (const item of this.#held.reverse()) item.dispose();
  }

  #writeInput(tensor: Tensor): void {
    const count = tensor.perToken * this.#options.tokens + tensor.fixed;
    const values = this.#options.inputs?.[tensor.name] ?? randomFloats(count);
    this.#gpu.write(this.plan.buffer(tensor), 0, values);
  }
}

/** Tokens of the steps that variants are timed on: larger steps take the same variants. */
const MOST_TUNING_TOKENS = 256;

/** Nothing is timed without a store; here every run times anew. */
const FORGETFUL: TuningStore = { read: () => Promise.resolve(new Map()), write: () => Promise.resolve() };

async function tune(
  gpu: Gpu,
  graph: Graph,
  resources: Resources,
  options: Omit<PlanOptions, 'tuning'>,
): Promise<Tuning> {
  const maxTokens = Math.min(options.maxTokens, MOST_TUNING_TOKENS);
  const specs = [{ graph, resources, options: { ...options, maxTokens } }];
  const tuning = await tuneModel(gpu, specs, { store: FORGETFUL }, () => {});
  // Keys end in the step's size.
  const resized = (key: string) => key.replace(/ x\d+$/, ` x${options.maxTokens}`);
  return new Map([...tuning].map(([key, choice]) => [resized(key), choice]));
}

function weightsOf(
  gpu: Gpu,
  graph: Graph,
  format: FormatName,
  held: { dispose(): void }[],
): Map<string, GpuWeight> {
  const weights = new Map<string, GpuWeight>();
  for (const weight of graph.weights) {
    const kept = weight.exact ? 'f32' : format;
    const { sizeBytes, scalesOffsetBytes } = matrixLayout(kept, weight.rows, weight.cols);
    const buffer = gpu.createBuffer({
      label: weight.name,
      sizeBytes: boundBytes(sizeBytes),
      kind: 'weights',
    });
    if (weight.source.kind === 'computed') gpu.write(buffer, 0, weight.source.values());
    else fill(gpu, buffer, kept === 'f32' ? FLOATS : HALVES);
    held.push(buffer);
    weights.set(weight.name, wholeWeight(slice(buffer), weight, kept, scalesOffsetBytes));
  }
  return weights;
}

/** Fills one layer of experts. */
export async function openExperts(
  gpu: Gpu,
  { units, shapes }: ExpertShape,
  format: FormatName,
): Promise<ExpertStore> {
  const layout = recordLayout(format, shapes);
  const store = await ExpertStore.open(gpu, evenRecords(1, units, layout));
  const exponent = format === 'f32' ? FLOATS : HALVES;
  const record = new Uint8Array(randomWords(layout.sizeBytes / 4, exponent).buffer);
  for (let unit = 0; unit < units; unit += 1) {
    store.put(0, unit, record);
    if (unit % 32 === 31) await gpu.idle(); // staging memory is freed only when the queue has run
  }
  store.commit();
  return store;
}
