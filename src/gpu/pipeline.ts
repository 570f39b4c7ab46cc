import { AtomoeError, invariant } from '../errors.ts';
import type { BufferSlice } from './buffer.ts';
import type { Gpu } from './device.ts';
import { link, type Program } from './program.ts';

/** A compiled program. */
export interface Pipeline {
  readonly program: Program;
  readonly handle: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** The bound buffers of a pipeline. */
export interface BindGroup {
  readonly pipeline: Pipeline;
  readonly handle: GPUBindGroup;
}

/** Pipelines by key. They belong to the device, even if it is adopted several times. */
const compiled = new WeakMap<GPUDevice, Map<string, Promise<Pipeline>>>();

/**
 * Compiles each key once; concurrent callers share one compilation.
 *
 * @throws {AtomoeError} shader - the driver rejects the WGSL; the message has file, line and reason
 */
export function compilePipeline(gpu: Gpu, program: Program): Promise<Pipeline> {
  const byKey = compiled.get(gpu.device) ?? new Map<string, Promise<Pipeline>>();
  compiled.set(gpu.device, byKey);
  let pending = byKey.get(program.key);
  if (!pending) {
    pending = compile(gpu, program);
    byKey.set(program.key, pending);
    pending.catch(() => byKey.delete(program.key));
  }
  return pending;
}

async function compile(gpu: Gpu, program: Program): Promise<Pipeline> {
  const linked = await link(program);
  gpu.assertUsable();
  const { device } = gpu;
  const label = program.key;
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label, code: linked.code });
  const layout = device.createBindGroupLayout({ label, entries: layoutEntries(program) });
  const pipelineLayout = device.createPipelineLayout({ label, bindGroupLayouts: [layout] });
  const constants = { ...program.overrides };
  const compute = { module, entryPoint: 'main', constants };
  const pending = device.createComputePipelineAsync({ label, layout: pipelineLayout, compute });
  const scope = device.popErrorScope();
  try {
    const [handle, invalid] = await Promise.all([pending, scope]);
    if (invalid) throw new Error(invalid.message);
    gpu.counters.pipelines += 1;
    return { program, handle, layout };
  } catch (cause) {
    await scope;
    const words = await import('./shader-error.ts').catch(() => undefined);
    if (words) throw await words.shaderError(program.key, module, linked, cause);
    throw new AtomoeError('shader', `${program.key}: ${String(cause)}`, { cause });
  }
}

function layoutEntries(program: Program): GPUBindGroupLayoutEntry[] {
  const types: GPUBufferBindingType[] = Object.values(program.bindings).map((access) =>
    access === 'read' ? 'read-only-storage' : 'storage',
  );
  if (Object.keys(program.params).length > 0) types.push('uniform');
  return types.map((type, binding) => ({ binding, visibility: 0x4, buffer: { type } })); // 0x4: COMPUTE
}

/** Creates a bind group of named buffers, and of the uniform slice if the program has parameters. */
export function bind(
  gpu: Gpu,
  pipeline: Pipeline,
  buffers: Readonly<Record<string, BufferSlice>>,
  params?: BufferSlice,
): BindGroup {
  const { program, layout } = pipeline;
  const names = Object.keys(program.bindings);
  const slices = names.map((name) => {
    const slice = buffers[name];
    invariant(slice, () => `${program.key}: nothing bound to ${name}`);
    if (slice.sizeBytes > gpu.limits.maxBindingBytes) {
      throw new AtomoeError(
        'limit-too-small',
        `${slice.buffer.label} needs a ${slice.sizeBytes}-byte binding, this device allows ` +
          `${gpu.limits.maxBindingBytes}; choose a smaller model, a shorter context, or quantize`,
      );
    }
    return slice;
  });
  if (Object.keys(program.params).length > 0) {
    invariant(params, () => `${program.key}: no params bound`);
    slices.push(params);
  }
  const entries = slices.map(({ buffer, offsetBytes, sizeBytes }, binding) => ({
    binding,
    resource: { buffer: buffer.handle, offset: offsetBytes, size: sizeBytes },
  }));
  gpu.counters.bindGroups += 1;
  return { pipeline, handle: gpu.device.createBindGroup({ label: program.key, layout, entries }) };
}
