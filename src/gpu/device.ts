import { AtomoeError } from '../errors.ts';
import { adapterClass, type AdapterClass } from './adapter-class.ts';
import { alignUp, Buffer, type BufferOptions, type BufferUse, type MemoryKind } from './buffer.ts';
import { findGpuEntry, type GpuEntry } from './entry.ts';
import { compilePipeline, type Pipeline } from './pipeline.ts';
import type { Feature, Program } from './program.ts';

/** The device limits that plans use. */
export interface Limits {
  readonly maxBufferSizeBytes: number;
  readonly maxBindingBytes: number;
  readonly maxStorageBuffers: number; // per stage
  readonly maxWorkgroupBytes: number;
  readonly maxInvocations: number; // per workgroup
}

/** The limits that the WebGPU specification guarantees on every device. */
export const DEFAULT_LIMITS: Limits = {
  maxBufferSizeBytes: 256 * 2 ** 20,
  maxBindingBytes: 128 * 2 ** 20,
  maxStorageBuffers: 8,
  maxWorkgroupBytes: 16384,
  maxInvocations: 256,
};

export type { GpuEntry } from './entry.ts';

/** A device opened by the host page. */
export type HostDevice = GPUDevice;

/** Options for opening a device. */
export interface OpenOptions {
  gpu?: GpuEntry | undefined; // default: navigator.gpu, or Dawn in Node
  features?: readonly Feature[]; // requested if the adapter has them
  limits?: 'default' | 'adapter' | Partial<Limits>; // default: 'default'
  adapterClass?: AdapterClass | undefined; // default: as the adapter reports
}

/** Counts of created objects and executed operations, for tests and reports. */
export interface Counters {
  buffers: number;
  bindGroups: number;
  pipelines: number;
  submits: number;
  dispatches: number;
  copies: number;
  maps: number;
}

const STORAGE = 0x80 | 0x4 | 0x8; // STORAGE | COPY_SRC | COPY_DST
const USAGE: Readonly<Record<BufferUse, number>> = {
  storage: STORAGE,
  uniform: 0x40 | 0x8, // UNIFORM | COPY_DST
  indirect: STORAGE | 0x100,
  readback: 0x1 | 0x8, // MAP_READ | COPY_DST
};

/** Time between a failed map and the device's report of its loss. */
const LOSS_GRACE_MS = 1000;

/** A device. Reports loss as typed errors, and counts the bytes of its buffers against a budget. */
export class Gpu {
  readonly device: GPUDevice;
  readonly name: string;
  readonly adapterClass: AdapterClass;
  readonly features: ReadonlySet<Feature>;
  readonly limits: Limits;
  readonly pipelines = { compile: (program: Program): Promise<Pipeline> => compilePipeline(this, program) };
  readonly counters: Counters = {
    buffers: 0,
    bindGroups: 0,
    pipelines: 0,
    submits: 0,
    dispatches: 0,
    copies: 0,
    maps: 0,
  };
  /** Maximum total bytes of the buffers that this program creates. */
  budgetBytes = Infinity;
  /** Maximum of allocated bytes so far. */
  peakBytes = 0;
  /** Rejects when the device is lost or raises an uncaptured error; never resolves. */
  readonly lost: Promise<never>;
  readonly #buffers = new Set<Buffer>();
  #failure: AtomoeError | undefined;
  readonly #isAdopted: boolean;
  readonly #removeListener: () => void;
  #isDisposed = false;

  private constructor(
    device: GPUDevice,
    info: GPUAdapterInfo | undefined,
    options: { wanted: AdapterClass | undefined; isAdopted: boolean },
  ) {
    this.device = device;
    this.#isAdopted = options.isAdopted;
    this.name = adapterName(info);
    this.adapterClass = adapterClass(info, options.wanted);
    this.features = new Set([...device.features] as Feature[]);
    this.limits = readLimits(device.limits);
    let reject: (error: AtomoeError) => void = () => {};
    const fail = (error: AtomoeError) => {
      if (this.#isDisposed) return;
      this.#failure ??= error;
      reject(this.#failure);
    };
    const onUncaptured = (event: GPUUncapturedErrorEvent) => fail(uncaptured(event.error));
    device.addEventListener('uncapturederror', onUncaptured);
    // Dawn's event targets in Node do not support `signal`.
    this.#removeListener = () => device.removeEventListener('uncapturederror', onUncaptured as EventListener);
    this.lost = new Promise((_, refuse) => {
      reject = refuse;
      void device.lost.then(({ message, reason }) =>
        fail(
          new AtomoeError(
            'device-lost',
            `the GPU device was lost (${reason}): ${message}; the conversation is kept; open the engine again`,
          ),
        ),
      );
    });
    this.lost.catch(() => {}); // avoids an unhandled rejection; callers that race it still see it
  }

  /**
   * Opens an adapter and a device on it.
   *
   * @throws {AtomoeError} no-webgpu - no `navigator.gpu` or no adapter; limit-too-small - the adapter refuses a limit
   */
  static async open({
    gpu,
    features = [],
    limits = 'default',
    adapterClass: wanted,
  }: OpenOptions = {}): Promise<Gpu> {
    const adapter = await requestAdapter(gpu);
    const has = features.filter((feature) => adapter.features.has(feature));
    const device = await requestDevice(adapter, has, requiredLimits(adapter, limits));
    return new Gpu(device, adapter.info, { wanted, isAdopted: false });
  }

  /** Adopts a device opened by the caller, with its features and limits. `dispose` does not destroy it. */
  static adopt(device: HostDevice, wanted?: AdapterClass): Gpu {
    return new Gpu(device, device.adapterInfo, { wanted, isAdopted: true });
  }

  /** Whether the device was lost or failed. */
  get isLost(): boolean {
    return this.#failure !== undefined;
  }

  /** @throws {AtomoeError} disposed, device-lost, ... - the device is no longer usable */
  assertUsable(): void {
    if (this.#failure) throw this.#failure;
    if (this.#isDisposed)
      throw new AtomoeError('disposed', 'this GPU device was disposed; open the engine again');
  }

  /** Creates a buffer. The size is rounded up to a multiple of 4, at least 4, because bindings may not be empty. */
  createBuffer(options: BufferOptions): Buffer {
    this.assertUsable();
    const sizeBytes = Math.max(4, alignUp(options.sizeBytes, 4));
    if (sizeBytes > this.limits.maxBufferSizeBytes) {
      throw new AtomoeError(
        'limit-too-small',
        `${options.label} needs a ${sizeBytes}-byte buffer, this device allows ${this.limits.maxBufferSizeBytes}; ` +
          'choose a smaller model, a shorter context, or quantize',
      );
    }
    const usedBytes = this.usedBytes();
    if (usedBytes + sizeBytes > this.budgetBytes) {
      throw new AtomoeError(
        'out-of-memory',
        `${options.label} needs ${sizeBytes} bytes, ${usedBytes} of the budget of ${this.budgetBytes} are in use; ` +
          'dispose of sessions that are not needed, or raise memoryBudget',
      );
    }
    const usage = USAGE[options.use ?? 'storage'];
    const handle = this.device.createBuffer({ label: options.label, size: sizeBytes, usage });
    const buffer = new Buffer(this, handle, { ...options, sizeBytes });
    this.#buffers.add(buffer);
    this.peakBytes = Math.max(this.peakBytes, usedBytes + sizeBytes);
    this.counters.buffers += 1;
    return buffer;
  }

  /**
   * Runs `create` in an out-of-memory error scope; on failure, disposes everything it created.
   *
   * @throws {AtomoeError} out-of-memory
   */
  async allocating<T>(what: string, create: () => T): Promise<T> {
    const before = new Set(this.#buffers);
    this.device.pushErrorScope('out-of-memory');
    let made: T;
    let scope: Promise<GPUError | null>;
    const undo = () => {
      for (const buffer of [...this.#buffers]) if (!before.has(buffer)) buffer.dispose();
    };
    try {
      made = create();
    } catch (error) {
      undo();
      throw error;
    } finally {
      scope = this.device.popErrorScope();
    }
    const refused = await scope;
    if (!refused) return made;
    undo();
    throw new AtomoeError(
      'out-of-memory',
      `the GPU refused memory for ${what}: ${refused.message}; ${this.usedBytes()} bytes are in use; ` +
        'close other tabs, choose a smaller memoryBudget or contextTokens, or quantize',
    );
  }

  /**
   * Runs an operation that the device may reject, in a validation error scope.
   *
   * @throws {AtomoeError} shader - the device rejected it
   */
  async attempting<T>(what: string, run: () => T): Promise<T> {
    const filters = ['out-of-memory', 'internal', 'validation'] as const;
    for (const filter of filters) this.device.pushErrorScope(filter);
    let scopes: Promise<GPUError | null>[] = [];
    let made: T;
    try {
      made = run();
    } finally {
      scopes = filters.map(() => this.device.popErrorScope());
    }
    const refused = (await Promise.all(scopes)).find((error) => error !== null);
    if (!refused) return made;
    throw new AtomoeError(
      'shader',
      `the GPU refused ${what}: ${refused.message}; please report this adapter`,
    );
  }

  /** Queues a write to a buffer; offset and size are multiples of 4 bytes. */
  write(buffer: Buffer, offsetBytes: number, bytes: ArrayBufferView<ArrayBuffer>): void {
    this.assertUsable();
    this.device.queue.writeBuffer(
      buffer.handle,
      offsetBytes,
      bytes.buffer,
      bytes.byteOffset,
      bytes.byteLength,
    );
  }

  /** Copies part of a buffer to memory. For tests and loading; the token loop uses a `ReadbackRing`. */
  async read(
    buffer: Buffer,
    offsetBytes = 0,
    sizeBytes = buffer.sizeBytes - offsetBytes,
  ): Promise<ArrayBuffer> {
    this.assertUsable();
    const staging = this.createBuffer({
      label: `read ${buffer.label}`,
      sizeBytes,
      kind: 'staging',
      use: 'readback',
    });
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer.handle, offsetBytes, staging.handle, 0, alignUp(sizeBytes, 4));
      this.device.queue.submit([encoder.finish()]);
      this.counters.copies += 1;
      await this.map(staging, sizeBytes);
      return staging.handle.getMappedRange().slice(0, sizeBytes);
    } finally {
      staging.dispose();
    }
  }

  /**
   * Maps a readback buffer for reading.
   *
   * @throws {AtomoeError} device-lost - also if the browser aborts the map before it reports the loss
   */
  async map(buffer: Buffer, sizeBytes: number): Promise<void> {
    this.counters.maps += 1;
    try {
      await Promise.race([buffer.handle.mapAsync(0x1, 0, alignUp(sizeBytes, 4)), this.lost]); // 0x1: READ
    } catch (cause) {
      if (this.isLost || this.#isDisposed) this.assertUsable();
      await Promise.race([this.lost, new Promise((resolve) => setTimeout(resolve, LOSS_GRACE_MS))]);
      throw new AtomoeError(
        'device-lost',
        `the GPU cannot read ${buffer.label}: ${cause instanceof Error ? cause.message : String(cause)}; ` +
          'the conversation is kept; open the engine again',
        { cause },
      );
    }
  }

  /** Resolves when all submitted work is done; rejects if the device is lost before. */
  async idle(): Promise<void> {
    await Promise.race([this.device.queue.onSubmittedWorkDone(), this.lost]);
  }

  /** Bytes of live buffers, of one kind or of all. */
  usedBytes(kind?: MemoryKind): number {
    let sum = 0;
    for (const buffer of this.#buffers) if (!kind || buffer.kind === kind) sum += buffer.sizeBytes;
    return sum;
  }

  /** For `Buffer.dispose` only. */
  forget(buffer: Buffer): void {
    this.#buffers.delete(buffer);
  }

  /** Runs an operation that may temporarily exceed the budget, such as timing kernels. */
  async withoutBudget<T>(run: () => Promise<T>): Promise<T> {
    const { budgetBytes } = this;
    this.budgetBytes = Infinity;
    try {
      return await run();
    } finally {
      this.budgetBytes = budgetBytes;
    }
  }

  /** Destroys all buffers, and the device unless it was adopted. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#removeListener();
    for (const buffer of [...this.#buffers]) buffer.dispose();
    if (!this.#isAdopted) this.device.destroy();
  }
}

async function requestAdapter(gpu: GpuEntry | undefined): Promise<GPUAdapter> {
  const entry = gpu ?? (await findGpuEntry());
  const adapter = await entry.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter) return adapter;
  throw new AtomoeError(
    'no-webgpu',
    "WebGPU offers no adapter; wanted one; update the graphics driver, or use device: 'cpu'",
  );
}

function adapterName(info: GPUAdapterInfo | undefined): string {
  const { vendor = '', architecture = '', description = '' } = info ?? {};
  return [vendor, architecture].filter(Boolean).join(' ') || description || 'unnamed adapter';
}

/** Properties of an adapter, read without opening a device. */
export interface AdapterFacts {
  readonly name: string;
  readonly adapterClass: AdapterClass;
  readonly features: ReadonlySet<Feature>;
  readonly limits: Limits;
}

/** @throws {AtomoeError} no-webgpu */
export async function readAdapter(gpu?: GpuEntry, wanted?: AdapterClass): Promise<AdapterFacts> {
  const adapter = await requestAdapter(gpu);
  return {
    name: adapterName(adapter.info),
    adapterClass: adapterClass(adapter.info, wanted),
    features: new Set([...adapter.features] as Feature[]),
    limits: readLimits(adapter.limits),
  };
}

function uncaptured(error: GPUError): AtomoeError {
  return 'OutOfMemoryError' in globalThis && error.constructor.name === 'GPUOutOfMemoryError'
    ? new AtomoeError(
        'out-of-memory',
        `the GPU ran out of memory: ${error.message}; close other tabs or lower memoryBudget`,
      )
    : new AtomoeError('shader', `the GPU refused an operation: ${error.message}; please report this`);
}

function readLimits(limits: GPUSupportedLimits): Limits {
  return {
    maxBufferSizeBytes: limits.maxBufferSize,
    maxBindingBytes: limits.maxStorageBufferBindingSize,
    maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
    maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize,
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup,
  };
}

function requiredLimits(
  adapter: GPUAdapter,
  limits: 'default' | 'adapter' | Partial<Limits>,
): Record<string, number> {
  if (limits === 'default') return {};
  const wanted = limits === 'adapter' ? readLimits(adapter.limits) : limits;
  const names: Record<keyof Limits, string> = {
    maxBufferSizeBytes: 'maxBufferSize',
    maxBindingBytes: 'maxStorageBufferBindingSize',
    maxStorageBuffers: 'maxStorageBuffersPerShaderStage',
    maxWorkgroupBytes: 'maxComputeWorkgroupStorageSize',
    maxInvocations: 'maxComputeInvocationsPerWorkgroup',
  };
  const required: Record<string, number> = {};
  for (const [name, value] of Object.entries(wanted) as [keyof Limits, number][]) {
    if (value > DEFAULT_LIMITS[name]) required[names[name]] = value;
  }
  return required;
}

async function requestDevice(
  adapter: GPUAdapter,
  features: readonly Feature[],
  limits: Record<string, number>,
): Promise<GPUDevice> {
  try {
    return await adapter.requestDevice({
      requiredFeatures: features as GPUFeatureName[],
      requiredLimits: limits,
    });
  } catch (cause) {
    throw new AtomoeError(
      'limit-too-small',
      `the adapter refused a device with ${JSON.stringify(limits)} and [${features.join(', ')}]: ` +
        `${cause instanceof Error ? cause.message : String(cause)}; choose a smaller model or context`,
      { cause },
    );
  }
}
