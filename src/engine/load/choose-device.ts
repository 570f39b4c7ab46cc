/** Decides between the GPU and the CPU where both can run a model: by one measured product on each. */
import { invariant } from '../../errors.ts';
import { slice } from '../../gpu/buffer.ts';
import { Gpu, type AdapterFacts } from '../../gpu/device.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { plainStep } from '../../graph/node.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import { Plan, wholeWeight } from '../../graph/plan.ts';
import { makeTensor, type Weight } from '../../graph/tensor.ts';
import { SCRATCH_BYTES } from '../../simd/kernels.ts';
import { SimdMemory, type SimdModule } from '../../simd/memory.ts';
import { formatKernel } from '../../simd/run.ts';
import { loadFormats } from '../../weights/formats/index.ts';
import { matrixLayout } from '../../weights/matrix.ts';
import type { EngineOptions } from '../engine.ts';
import type { TuningStore } from './tuning.ts';

/** The device that was chosen, and a sentence on why. */
export interface DeviceChoice {
  readonly device: 'gpu' | 'cpu';
  readonly why: string; // for people
}

/** Part of the stored key: what is measured, and the kernels that do it, change between versions. */
const VERSION = 1;

/** Each device gets as long as this, at most; compiling comes on top. */
const MEASURE_MS = 50;

/** As many products as a small model's token takes, each of which waits for the one before it. */
const PRODUCTS = 8;

const SIDE = 2048;
const FORMAT = 'q4_0';

/**
 * The faster of both, as stored for this adapter, or as measured now. Where nothing can be stored nothing is measured: the
 * choice, and so the bits of results, would change from visit to visit; then a software adapter loses to the CPU.
 *
 * @param options - how the engine opens its GPU
 */
export async function chooseDevice(
  facts: AdapterFacts,
  kernels: SimdModule,
  { options, store }: { readonly options: EngineOptions; readonly store: TuningStore | undefined },
): Promise<DeviceChoice> {
  const { name, adapterClass } = facts;
  const key = `device ${VERSION} ${name} ${adapterClass} ${kernels.build}`;
  const stored = fromStore(await store?.read(key).catch(() => undefined));
  if (stored) return stored;
  if (!store || !(await isStorable(store, key))) return unmeasured(facts);
  await loadFormats([FORMAT]);
  const cpuMs = measureCpu(kernels);
  const gpuMs = await measureGpu(options).catch(() => Infinity); // a GPU that cannot do this can run no model
  const choice = compare(name, cpuMs, gpuMs);
  await store.write(key, new Map(Object.entries(choice))).catch(() => {});
  return choice;
}

function isStorable(store: TuningStore, key: string): Promise<boolean> {
  return store.write(key, new Map()).then(
    () => true,
    () => false, // full or forbidden
  );
}

function fromStore(stored: ReadonlyMap<string, string> | undefined): DeviceChoice | undefined {
  const device = stored?.get('device');
  const why = stored?.get('why');
  return (device === 'gpu' || device === 'cpu') && why !== undefined ? { device, why } : undefined;
}

function unmeasured({ name, adapterClass }: AdapterFacts): DeviceChoice {
  return adapterClass === 'software'
    ? { device: 'cpu', why: `the GPU "${name}" is a program on the CPU` }
    : {
        device: 'gpu',
        why: `the GPU "${name}" is hardware; nothing was measured, since nothing can be stored`,
      };
}

function compare(name: string, cpuMs: number, gpuMs: number): DeviceChoice {
  const isGpu = gpuMs < cpuMs;
  const times = isGpu ? cpuMs / gpuMs : gpuMs / cpuMs;
  const many = times >= 10 ? times.toFixed(0) : times.toFixed(1);
  const [faster, slower] = isGpu ? [`the GPU "${name}"`, 'the CPU'] : ['the CPU', `the GPU "${name}"`];
  const how = Number.isFinite(times) ? `${many} times as fast as ${slower}` : `works and ${slower} does not`;
  return {
    device: isGpu ? 'gpu' : 'cpu',
    why: Number.isFinite(times) ? `${faster} was ${how} in matrix-vector products` : `${faster} ${how}`,
  };
}

/** The shortest time of all products, in milliseconds. */
function measureCpu(module: SimdModule): number {
  const memory = new SimdMemory(module);
  const { sizeBytes, scalesOffsetBytes } = matrixLayout(FORMAT, SIDE, SIDE);
  const weights = memory.alloc(sizeBytes);
  const [x, y, scratch] = [memory.alloc(4 * SIDE), memory.alloc(4 * SIDE), memory.alloc(SCRATCH_BYTES)];
  const kernel = formatKernel(memory, 'linear', FORMAT);
  invariant(kernel, () => `no kernel for ${FORMAT}`);
  const run = () => {
    for (let index = 0; index < PRODUCTS; index += 1) {
      const [from, to] = index % 2 === 0 ? [x, y] : [y, x];
      kernel.call(
        kernel.format,
        from,
        weights,
        weights + scalesOffsetBytes,
        0,
        to,
        1,
        SIDE,
        SIDE,
        1,
        scratch,
        0,
        SIDE,
      );
    }
  };
  let best = Infinity;
  const deadlineMs = performance.now() + MEASURE_MS;
  for (let round = 0; round < 2 || performance.now() < deadlineMs; round += 1) {
    const startedMs = performance.now();
    run();
    if (round > 0) best = Math.min(best, performance.now() - startedMs); // the first compiles
  }
  return best;
}

/** The same on the GPU, with the wait for the result that each token has. */
async function measureGpu({ gpu: entry, adapterClass }: EngineOptions): Promise<number> {
  const gpu = await Gpu.open({ gpu: entry, features: ['subgroups'], limits: 'default', adapterClass });
  try {
    const { graph, weight } = products();
    const { sizeBytes, scalesOffsetBytes } = matrixLayout(FORMAT, SIDE, SIDE);
    const buffer = gpu.createBuffer({ label: 'products', sizeBytes, kind: 'weights' });
    const whole = wholeWeight(slice(buffer), weight, FORMAT, scalesOffsetBytes);
    const options = {
      label: 'products',
      maxTokens: 1,
      contextTokens: 1,
      scalar: 'f32',
      tuning: new Map(),
    } as const;
    const plan = await Plan.open(gpu, graph, { weight: () => whole, experts: undefined }, options);
    const instance = plan.instance(new Map());
    let best = Infinity;
    const deadlineMs = performance.now() + MEASURE_MS;
    for (let round = 0; round < 2 || performance.now() < deadlineMs; round += 1) {
      const startedMs = performance.now();
      instance.run(plainStep(1, 0));
      await gpu.idle();
      if (round > 0) best = Math.min(best, performance.now() - startedMs);
    }
    return best;
  } finally {
    gpu.dispose();
  }
}

function products() {
  const builder = new GraphBuilder();
  const weight: Weight = builder.matrix('products', SIDE, SIDE, 'products');
  let x = makeTensor('x', { role: 'input', type: 'f32', perToken: SIDE });
  for (let index = 0; index < PRODUCTS; index += 1) {
    const role = index === PRODUCTS - 1 ? 'output' : 'activation';
    const y = builder.tensor(`y${index}`, { type: 'f32', role, perToken: SIDE });
    builder.add(linearNode(`product ${index}`, { x, weight, y }));
    x = y;
  }
  return { graph: builder.buildPart(), weight };
}
