import type { ModelFamily } from '../blocks/family.ts';
import type { Container } from '../containers/container.ts';
import type { AdapterClass } from '../gpu/adapter-class.ts';
import type { GpuEntry, HostDevice } from '../gpu/device.ts';
import type { Bounds } from '../graph/weight-parts.ts';
import type { DiskStorage } from '../io/storage.ts';
import type { KernelSource, StartThreads } from '../simd/modules.ts';
import type { DeviceKind, LoadOptions, ModelSource } from './api.ts';
import type { AutoBudget } from './load/auto-memory.ts';
import type { TuningMode, TuningStore } from './load/tuning.ts';
import type { StreamTesting } from './run/expert-memory.ts';

/** How an engine is opened; the fields of `LoadOptions` are defaults for every load. */
export interface EngineOptions extends LoadOptions {
  /** 'auto' (default) or a kind of device; a WebGPU device of your own is used as it is. */
  device?: DeviceKind | HostDevice;
  /** The entry to WebGPU; default `navigator.gpu`, and in Node Dawn, where the package `webgpu` is installed. */
  gpu?: GpuEntry;
  /** Runs a software adapter as if it were hardware, or the other way round: for tests. Default: what it says it is. */
  adapterClass?: AdapterClass;
  /** Loaded at once. */
  model?: ModelSource;
  /** Families beside the built-in ones. */
  families?: readonly ModelFamily[];
  /** Ways in which models are stored, beside the built-in ones; they are asked first. */
  containers?: readonly Container[];
  /** Which kernels to use where several would do; default 'auto': measured once for each adapter. */
  tuning?: TuningMode;
  tuningStore?: TuningStore;
  /** Where models from URLs are kept; default: the browser's private file system, where there is one. */
  storage?: DiskStorage | Promise<DiskStorage>;
  /** Where WebAssembly kernels come from; default: they come with the library. A worker asks its page. */
  kernels?: KernelSource;
  /** Threads of the CPU, where it runs the kernels and memory can be shared with them; default: the machine's, less one, 8 at most. */
  threads?: number;
  /** How threads are started; default: in Node by worker_threads, and in the library's own worker. */
  startThreads?: StartThreads;
  /** What `memoryBudget: 'auto'` means, where a page watches over it; default: found out and watched here. */
  autoBudget?: AutoBudget;
  /** For tests of streaming. */
  streamTesting?: StreamTesting;
  /** Cuts weights and dispatches as those of large models are. For tests. */
  bounds?: Bounds;
  /** Opens devices with the portable limits only. For tests. */
  limits?: 'plan' | 'default';
}
