/** What an engine computes with, and how a model is brought there. */
import { Gpu, readAdapter, type AdapterFacts } from '../../gpu/device.ts';
import type { SimdModule } from '../../simd/memory.ts';
import { openKernels, type NoKernels } from '../../simd/modules.ts';
import type { AdapterReport } from '../api.ts';
import type { EngineOptions } from '../engine.ts';
import type { Runner } from '../run/runner.ts';
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
}

/** @throws {AtomoeError} no-webgpu; network - the kernels cannot be loaded */
export async function openDevice({
  device = 'gpu',
  gpu,
  adapterClass,
  kernels: source,
}: EngineOptions): Promise<Device> {
  if (device === 'reference') return { hasBudget: false };
  if (device === 'cpu') {
    const kernels = await openKernels(source);
    return 'module' in kernels ? { kernels, hasBudget: true } : { missing: kernels, hasBudget: false };
  }
  if (device === 'gpu') return { facts: await readAdapter(gpu, adapterClass), hasBudget: true };
  const facts = Gpu.adopt(device, adapterClass);
  facts.dispose(); // each load adopts anew: here only the device's facts are wanted
  return { facts, hasBudget: true };
}

export function adapterOf({ facts, kernels }: Device): AdapterReport {
  if (facts) return reportOf(facts);
  return kernels ? simdAdapter(kernels) : CPU_ADAPTER;
}

/**
 * Brings a model to the device: to the opened GPU, else to the kernels, else to the reference.
 *
 * @throws {AtomoeError} bad-file; non-finite; out-of-memory; limit-too-small; shader; network and the like
 */
export async function openRunner(
  { gpu, kernels: module }: { readonly gpu: Gpu | undefined; readonly kernels: SimdModule | undefined },
  drafted: Drafted,
  options: GpuLoadOptions,
): Promise<Runner> {
  if (gpu) return openGpuRunner(gpu, drafted, options);
  if (module) {
    const { SimdRunner } = await import('../run/simd-runner.ts');
    return SimdRunner.open(drafted, { ...options, module });
  }
  const { CpuRunner } = await import('../run/cpu-runner.ts');
  return CpuRunner.open(drafted, options.onProgress);
}
