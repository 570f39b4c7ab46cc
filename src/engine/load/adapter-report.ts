/** What the engine reports of the adapter it runs on, and its equivalent on the CPU. */
import type { AdapterFacts } from '../../gpu/device.ts';
import type { SimdModule } from '../../simd/memory.ts';
import type { AdapterReport } from '../api.ts';

/** The report of an engine that runs the reference. */
export const CPU_ADAPTER: Omit<AdapterReport, 'why'> = {
  device: 'reference',
  name: 'CPU reference',
  adapterClass: 'software',
  f16: false,
  subgroups: false,
  maxBindingBytes: 0,
};

/** Limits to plan with where no GPU is used: none of them binds. */
export const CPU_FACTS: AdapterFacts = {
  name: 'CPU reference',
  adapterClass: 'software',
  features: new Set(),
  limits: {
    maxBufferSizeBytes: Number.MAX_SAFE_INTEGER,
    maxBindingBytes: Number.MAX_SAFE_INTEGER,
    maxStorageBuffers: 8,
    maxWorkgroupBytes: 16384,
    maxInvocations: 256,
  },
};

/** The report of a GPU adapter. */
export function reportOf({ name, adapterClass, features, limits }: AdapterFacts): Omit<AdapterReport, 'why'> {
  return {
    device: 'gpu',
    name,
    adapterClass,
    f16: features.has('shader-f16'),
    subgroups: features.has('subgroups'),
    maxBindingBytes: limits.maxBindingBytes,
  };
}

/** What the engine says of WebAssembly in the place of an adapter. */
export function simdAdapter({ build, threads }: SimdModule): Omit<AdapterReport, 'why'> {
  return {
    device: 'cpu',
    name: `WebAssembly SIMD (${build}${threads ? `, ${threads.count} threads` : ''})`,
    adapterClass: 'software',
    f16: false,
    subgroups: false,
    maxBindingBytes: 0,
  };
}
