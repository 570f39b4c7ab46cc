/** Runs a layer's graph on a device, without a model around it. */
import { invariant } from '../errors.ts';
import { pageSize } from '../blocks/experts/neuron.ts';
import { readWeight } from '../engine/weights.ts';
import { packRecord, recordLayout, type RecordLayout } from '../weights/record.ts';
import { evenRecords } from '../experts/pools.ts';
import { ExpertStore } from '../experts/store.ts';
import { boundBytes, decodeMatrix } from '../weights/matrix.ts';
import { slice, type Buffer } from '../gpu/buffer.ts';
import type { Gpu } from '../gpu/device.ts';
import { runOnCpu } from '../graph/cpu.ts';
import type { CpuExpertWeights } from '../graph/experts.ts';
import { plainStep, type HostArray } from '../graph/node.ts';
import { Plan, wholeWeight, type GpuWeight } from '../graph/plan.ts';
import type { Tensor, Weight } from '../graph/tensor.ts';
import { weightName, type LayerFile } from './layer-file.ts';
import type { LayerGraph } from './layer-graph.ts';

/** Values of the graph's outputs for so many rows of x. */
export type Outputs = Readonly<Record<string, HostArray>>;

export interface LayerRunner {
  readonly device: string;
  /** Runs x [tokens, hidden] in steps of `stepTokens`, and joins their outputs. */
  run(built: LayerGraph, x: Float32Array<ArrayBuffer>, stepTokens: number): Promise<Outputs>;
  dispose(): void;
}

/** The layer's one-neuron experts: input and output vectors [experts, hidden], in pages. */
interface Tables {
  readonly input: Float32Array<ArrayBuffer>;
  readonly output: Float32Array<ArrayBuffer>;
  readonly pages: number;
  readonly pageExperts: number;
}

async function readTables({ kind, checkpoint, grid, hidden }: LayerFile): Promise<Tables> {
  const experts = grid * grid;
  const read = (name: string) =>
    checkpoint.readF32(weightName(checkpoint, name), { rowStart: 0, rowCount: experts });
  const [up, down] = [await read('up_embed'), await read('down_embed')];
  const pageExperts = pageSize(experts, 8 * hidden);
  // In PEER x is projected down to a number by `down_embed`; in OmniMoE the names are the other way round.
  const [input, output] = kind === 'omnimoe' ? [up, down] : [down, up];
  return { input, output, pages: experts / pageExperts, pageExperts };
}

function pageOf({ input, output, pageExperts }: Tables, page: number, hidden: number) {
  const cut = (values: Float32Array<ArrayBuffer>) =>
    values.subarray(page * pageExperts * hidden, (page + 1) * pageExperts * hidden);
  return { in: cut(input), out: cut(output) };
}

/** Calls `step` for each step of at most `stepTokens` rows, and joins what it gives. */
async function inSteps(
  rows: number,
  stepTokens: number,
  step: (from: number, tokens: number) => Promise<Outputs> | Outputs,
): Promise<Outputs> {
  const parts: Outputs[] = [];
  for (let from = 0; from < rows; from += stepTokens)
    parts.push(await step(from, Math.min(stepTokens, rows - from)));
  return Object.fromEntries(
    Object.keys(parts[0] ?? {}).map((name) => [name, join(parts.map((part) => part[name]))]),
  );
}

function join(parts: readonly (HostArray | undefined)[]): HostArray {
  const [first] = parts;
  const length = parts.reduce((sum, part) => sum + (part?.length ?? 0), 0);
  const all = first instanceof Uint32Array ? new Uint32Array(length) : new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part ?? [], at);
    at += part?.length ?? 0;
  }
  return all;
}

/** The kernels' references. */
export async function openCpuLayer(layer: LayerFile): Promise<LayerRunner> {
  const { hidden, checkpoint, tokens } = layer;
  const tables = await readTables(layer);
  const experts: CpuExpertWeights = {
    units: () => tables.pages,
    unit: (_, page) => pageOf(tables, page, hidden),
  };
  return {
    device: 'CPU reference',
    run: async ({ graph, x }, values, stepTokens) => {
      const weights = new Map<string, Float32Array>();
      for (const weight of graph.weights) {
        const { format, bytes } = await readWeight(weight, { checkpoint });
        weights.set(weight.name, decodeMatrix(format, bytes, weight.rows, weight.cols));
      }
      const resources = { weight: (weight: Weight) => known(weights, weight), experts, contextTokens: 1 };
      return inSteps(tokens, stepTokens, (from, count) => {
        const rows = values.subarray(from * hidden, (from + count) * hidden);
        const inputs = new Map<Tensor, Float32Array>([[x, rows]]);
        const get = runOnCpu(graph, resources, new Map(), plainStep(count, 0), inputs);
        return Object.fromEntries(
          Object.entries(graph.outputs).map(([name, tensor]) => [name, get(tensor).slice()]),
        );
      });
    },
    dispose: () => {},
  };
}

function known<T>(weights: ReadonlyMap<string, T>, weight: Weight): T {
  const found = weights.get(weight.name);
  invariant(found, () => `weight ${weight.name} was not loaded`);
  return found;
}

/** The layer on a device; `dispose` frees what the layer took of it. */
export async function openGpuLayer(layer: LayerFile, gpu: Gpu): Promise<LayerRunner> {
  const store = await uploadExperts(gpu, layer);
  return {
    device: gpu.name,
    run: (built, values, stepTokens) => runOnGpu(gpu, layer, store, built, values, stepTokens),
    dispose: () => store.dispose(),
  };
}

async function uploadExperts(gpu: Gpu, layer: LayerFile): Promise<ExpertStore> {
  const { hidden } = layer;
  const tables = await readTables(layer);
  const { pages, pageExperts } = tables;
  const layout: RecordLayout = recordLayout('f32', { in: [pageExperts, hidden], out: [pageExperts, hidden] });
  const store = await ExpertStore.open(gpu, evenRecords(1, pages, layout));
  for (let page = 0; page < pages; page += 1) {
    const { in: input, out: output } = pageOf(tables, page, hidden);
    store.put(0, page, packRecord(layout, { in: bytesOf(input), out: bytesOf(output) }));
  }
  store.commit();
  return store;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

async function runOnGpu(
  gpu: Gpu,
  { checkpoint, hidden, tokens }: LayerFile,
  experts: ExpertStore,
  { graph, x }: LayerGraph,
  values: Float32Array<ArrayBuffer>,
  stepTokens: number,
): Promise<Outputs> {
  const weights = new Map<string, GpuWeight>();
  const held: { dispose(): void }[] = [];
  try {
    for (const weight of graph.weights) {
      const { format, bytes, scalesOffsetBytes } = await readWeight(weight, { checkpoint });
      const buffer = gpu.createBuffer({
        label: weight.name,
        sizeBytes: boundBytes(bytes.byteLength),
        kind: 'weights',
      });
      held.push(buffer);
      gpu.write(buffer, 0, bytes);
      weights.set(weight.name, wholeWeight(slice(buffer), weight, format, scalesOffsetBytes));
    }
    const resources = { weight: (weight: Weight) => known(weights, weight), experts };
    const options = {
      label: 'layer',
      maxTokens: stepTokens,
      contextTokens: 1,
      scalar: 'f32',
      tuning: new Map(),
    } as const;
    const plan = await Plan.open(gpu, graph, resources, options);
    held.push(plan);
    const instance = plan.instance(new Map<string, Buffer>());
    return await inSteps(tokens, stepTokens, async (from, count) => {
      gpu.write(plan.buffer(x), 0, values.subarray(from * hidden, (from + count) * hidden));
      instance.run(plainStep(count, 0));
      const outputs: Record<string, HostArray> = {};
      for (const [name, tensor] of Object.entries(graph.outputs))
        outputs[name] = await read(plan, tensor, count);
      return outputs;
    });
  } finally {
    for (const item of held) item.dispose();
  }
}

async function read(plan: Plan, tensor: Tensor, tokens: number): Promise<HostArray> {
  const bytes = await plan.read(tensor, tokens);
  return tensor.type === 'u32' ? new Uint32Array(bytes) : new Float32Array(bytes);
}
