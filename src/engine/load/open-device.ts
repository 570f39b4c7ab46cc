/** What an engine computes with, and how a model is brought there. */
import { AtomoeError } from '../../errors.ts';
import { Gpu, readAdapter, type AdapterFacts } from '../../gpu/device.ts';
import type { SimdModule } from '../../simd/memory.ts';
import type { NoKernels } from '../../simd/modules.ts';
import type { Thread } from '../../simd/thread-pool.ts';
import type { AdapterReport, LoadOptions } from '../api.ts';
import type { EngineOptions } from '../engine.ts';
import type { Runner } from '../run/runner.ts';
import { typedError } from '../failures.ts';
import { CPU_ADAPTER, reportOf, simdAdapter } from './adapter-report.ts';
import { openGpuRunner, type GpuLoadOptions } from './gpu-load.ts';
import type { Drafted } from './planning.ts';

/** A GPU, or kernels on the CPU; neither: the reference. */
export interface Device {
  readonly facts?: AdapterFacts;
  readonly kernels?: SimdModule;
  /** Why there are no kernels where the CPU was to run them. */
  readonly missing?: NoKernels;
  /** Whether a memory budget holds: the reference keeps whole models as f32, whatever they take. */
  readonly hasBudget: boolean;
  /** Why it is this one, where the engine chose. */
  readonly why?: string;
}

/** @throws {AtomoeError} no-webgpu; network - the kernels cannot be loaded */
export async function openDevice(options: EngineOptions): Promise<Device> {
  const { device = 'auto', gpu, adapterClass } = options;
  if (device === 'auto') return fasterDevice(options);
  if (device === 'reference') return { hasBudget: false };
  if (device === 'cpu') return onCpu(await kernelsOf(options));
  if (device === 'gpu') return { facts: await readAdapter(gpu, adapterClass), hasBudget: true };
  const facts = Gpu.adopt(device, adapterClass);
  facts.dispose(); // each load adopts anew: here only the device's facts are wanted
  return { facts, hasBudget: true };
}

function onCpu(kernels: SimdModule | NoKernels): Device {
  if ('module' in kernels) return { kernels, hasBudget: true };
  return { missing: kernels, hasBudget: false, why: kernels.message };
}

/** What there is; the faster one, where there are both. */
async function fasterDevice(options: EngineOptions): Promise<Device> {
  const { gpu, adapterClass, tuningStore } = options;
  const [adapter, cpu] = await Promise.allSettled([
    readAdapter(gpu, adapterClass),
    kernelsOf({ ...options, threads: 1 }),
  ]);
  const kernels = cpu.status === 'fulfilled' ? cpu.value : undefined;
  if (adapter.status === 'rejected') {
    if (!kernels) throw adapter.reason;
    return { why: typedError(adapter.reason).message, ...onCpu(await kernelsOf(options)) };
  }
  const facts = adapter.value;
  if (!kernels || 'reason' in kernels) {
    return { facts, hasBudget: true, why: kernels?.message ?? 'the CPU kernels did not load' };
  }
  const [{ chooseDevice }, { indexedDbTuning }] = await Promise.all([
    import('./choose-device.ts'),
    import('./tuning-store.ts'),
  ]);
  const store = tuningStore ?? indexedDbTuning();
  const { device, why } = await chooseDevice(facts, kernels, { options, store });
  if (device === 'gpu') return { facts, hasBudget: true, why };
  return { ...onCpu(await kernelsOf(options)), why };
}

/** The kernels on the CPU; their code comes where they are asked for. */
async function kernelsOf(options: EngineOptions): Promise<SimdModule | NoKernels> {
  const { kernels: source, startThreads, threads = mostThreads() } = options;
  const start = startThreads ?? (isNode() ? startInNode : undefined);
  const { openKernels } = await import('../../simd/modules.ts');
  return openKernels({ source, threads, startThreads: start });
}

/** One core is left to the page, or to the rest of the machine; beyond eight, small models gain nothing. */
function mostThreads(): number {
  // Node 20 has no `navigator`.
  const cores = isNode()
    ? process.getBuiltinModule('node:os').availableParallelism()
    : globalThis.navigator?.hardwareConcurrency;
  return Math.max(1, Math.min(8, (cores ?? 2) - 1));
}

function isNode(): boolean {
  return (globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node !== undefined;
}

async function startInNode(count: number): Promise<Thread[]> {
  return (await import('../../simd/node-threads.ts')).startNodeThreads(count);
}

/** The report of a device, with the reason for which it was chosen. */
export function adapterOf({ facts, kernels, why = '' }: Device): AdapterReport {
  if (facts) return { ...reportOf(facts), why };
  return { ...(kernels ? simdAdapter(kernels) : CPU_ADAPTER), why };
}

/**
 * The activations that a device is asked for.
 *
 * @throws {AtomoeError} bad-input - 'int8' where no WebAssembly kernel runs
 */
export function checkActivations(
  activations: LoadOptions['activations'] = 'f32',
  { kernels }: Pick<Device, 'kernels'>,
): NonNullable<LoadOptions['activations']> {
  if (activations !== 'int8' || kernels) return activations;
  throw new AtomoeError(
    'bad-input',
    "activations: 'int8' is for the WebAssembly kernels, which this engine does not run; wanted device: 'cpu' with it; " +
      'leave it out',
  );
}

/**
 * Brings a model to the device: to the opened GPU, else to the kernels, else to the reference.
 *
 * @throws {AtomoeError} bad-file; non-finite; out-of-memory; limit-too-small; shader; network and the like
 */
export async function openRunner(
  { gpu, kernels: module }: { readonly gpu: Gpu | undefined; readonly kernels: SimdModule | undefined },
  drafted: Drafted,
  options: GpuLoadOptions & { readonly fixedBytes: number }, // of the budget, for all but experts
): Promise<Runner> {
  if (gpu) return openGpuRunner(gpu, drafted, options);
  if (module) {
    const { SimdRunner } = await import('../run/simd-runner.ts');
    return SimdRunner.open(drafted, { ...options, module, int8: options.activations === 'int8' });
  }
  const { CpuRunner } = await import('../run/cpu-runner.ts');
  return CpuRunner.open(drafted, options.onProgress);
}
