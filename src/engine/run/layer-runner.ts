/** Runs a single layer's graph on a device, without a model around it. */
import type { LayerGraph } from '../../blocks/layer.ts';
import { expertLayers } from '../../blocks/read.ts';
import { loadBlocks } from '../../blocks/table.ts';
import { invariant } from '../../errors.ts';
import { planExperts, type ExpertPlan } from '../../experts/expert-plan.ts';
import { ExpertStore } from '../../experts/store.ts';
import type { Gpu } from '../../gpu/device.ts';
import { runOnCpu } from '../../graph/cpu.ts';
import { plainStep, type HostArray } from '../../graph/node.ts';
import { Plan } from '../../graph/plan.ts';
import type { Weight } from '../../graph/tensor.ts';
import { SimdExecutor } from '../../simd/executor.ts';
import type { SimdModule } from '../../simd/memory.ts';
import { Scratch } from '../../simd/scratch.ts';
import { residentExperts, SimdStore } from '../../simd/store.ts';
import { CPU_ADAPTER, simdAdapter } from '../load/adapter-report.ts';
import { loadOnCpu } from '../load/cpu-load.ts';
import { uploadWeights } from '../load/gpu-load.ts';
import type { LayerFile } from '../load/layer-file.ts';
import { DenseWeights } from '../load/simd-load.ts';

/** Values of the graph's outputs for this many rows of x. */
export type Outputs = Readonly<Record<string, HostArray>>;

/** A layer on some device. */
export interface LayerRunner {
  readonly device: string;
  /** Runs x [tokens, hidden] in steps of `stepTokens`, and joins their outputs. */
  run(built: LayerGraph, x: Float32Array<ArrayBuffer>, stepTokens: number): Promise<Outputs>;
  dispose(): void;
}

async function planLayer({ checkpoint, hidden, moe }: LayerFile): Promise<ExpertPlan> {
  const layers = [{ sublayers: [{ norm: '', block: await moe(false) }] }];
  const plan = planExperts(expertLayers({ layers, hidden }, await loadBlocks({ layers })), { checkpoint });
  invariant(plan, () => 'a layer has experts');
  return plan;
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

/** The layer by its kernels' references. */
export function openReferenceLayer(layer: LayerFile): LayerRunner {
  const { hidden, checkpoint, tokens } = layer;
  return {
    device: CPU_ADAPTER.name,
    run: async ({ graph, x, outputs }, values, stepTokens) => {
      const plan = await planLayer(layer);
      const resources = { ...(await loadOnCpu(graph, plan, { checkpoint })), contextTokens: 1 };
      return inSteps(tokens, stepTokens, (from, count) => {
        const rows = values.subarray(from * hidden, (from + count) * hidden);
        const get = runOnCpu(graph, resources, new Map(), plainStep(count, 0), new Map([[x, rows]]));
        return Object.fromEntries(
          Object.entries(outputs).map(([name, tensor]) => [name, get(tensor).slice()]),
        );
      });
    },
    dispose: () => {},
  };
}

/** The layer by the WebAssembly kernels. */
export async function openSimdLayer(layer: LayerFile, module: SimdModule): Promise<LayerRunner> {
  const { hidden, checkpoint, tokens } = layer;
  const plan = await planLayer(layer);
  const store = new SimdStore(module, plan);
  for (let unit = 0; unit < plan.units(0); unit += 1) store.put(0, unit, await plan.read(0, unit));
  return {
    device: simdAdapter(module).name,
    run: async ({ graph, x, outputs }, values, stepTokens) => {
      const dense = new DenseWeights(module);
      await dense.read(graph, { checkpoint }, () => {});
      const weight = (wanted: Weight) => dense.get(wanted);
      const experts = residentExperts(store);
      const shared = {
        main: dense.main,
        contextTokens: 1,
        int8: false,
        weight,
        experts,
        scratch: new Scratch(),
      };
      const executor = new SimdExecutor(graph, shared, stepTokens);
      return inSteps(tokens, stepTokens, async (from, count) => {
        executor.write(x, values.subarray(from * hidden, (from + count) * hidden));
        await executor.run(plainStep(count, 0), [], new Map());
        return Object.fromEntries(
          Object.entries(outputs).map(([name, tensor]) => [
            name,
            tensor.type === 'u32' ? executor.words(tensor, count) : executor.floats(tensor, count),
          ]),
        );
      });
    },
    dispose: () => store.dispose(),
  };
}

/** The layer on a GPU; `dispose` frees what the layer took of it. */
export async function openGpuLayer(layer: LayerFile, gpu: Gpu): Promise<LayerRunner> {
  const plan = await planLayer(layer);
  const store = await ExpertStore.open(gpu, plan);
  for (let unit = 0; unit < plan.units(0); unit += 1) store.put(0, unit, await plan.read(0, unit));
  store.commit();
  return {
    device: gpu.name,
    run: (built, values, stepTokens) => runOnGpu(gpu, layer, store, built, values, stepTokens),
    dispose: () => store.dispose(),
  };
}

async function runOnGpu(
  gpu: Gpu,
  { checkpoint, hidden, tokens }: LayerFile,
  experts: ExpertStore,
  { graph, x, outputs }: LayerGraph,
  values: Float32Array<ArrayBuffer>,
  stepTokens: number,
): Promise<Outputs> {
  const held: { dispose(): void }[] = [];
  try {
    const weights = await uploadWeights(gpu, graph, { checkpoint }, held);
    const weight = ({ name }: Weight) => {
      const found = weights.get(name);
      invariant(found, () => `weight ${name} was not loaded`);
      return found;
    };
    const sizes = { maxTokens: stepTokens, contextTokens: 1 };
    const options = { label: 'layer', ...sizes, scalar: 'f32', tuning: new Map() } as const;
    const plan = await Plan.open(gpu, graph, { weight, experts }, options);
    held.push(plan);
    const instance = plan.instance(new Map());
    return await inSteps(tokens, stepTokens, async (from, count) => {
      gpu.write(plan.buffer(x), 0, values.subarray(from * hidden, (from + count) * hidden));
      instance.run(plainStep(count, 0));
      const read: Record<string, HostArray> = {};
      for (const [name, tensor] of Object.entries(outputs)) {
        const bytes = await plan.read(tensor, count);
        read[name] = tensor.type === 'u32' ? new Uint32Array(bytes) : new Float32Array(bytes);
      }
      return read;
    });
  } finally {
    for (const item of held) item.dispose();
  }
}
