import { runCases, type CaseResult } from './cases.ts';

const doubleHalves = `
enable f16;
@group(0) @binding(0) var<storage, read_write> values: array<f16>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) {
  values[id.x] = values[id.x] * 2.0h;
}`;

/** The ground that the other groups stand on: an f16 device that computes. */
export function runDeviceCases(): Promise<CaseResult[]> {
  return runCases([{ name: 'a device with shader-f16 doubles four halves', run: doubleFourHalves }]);
}

async function doubleFourHalves(): Promise<void> {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null)
    throw new Error('Firefox has no WebGPU adapter; on Debian install mesa-vulkan-drivers');
  const device = await adapter.requestDevice({ requiredFeatures: ['shader-f16'] });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const storage = device.createBuffer({ size: 8, usage });
  const readback = device.createBuffer({ size: 8, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  // 1, 2, 3 and -0.5 as IEEE halves.
  device.queue.writeBuffer(storage, 0, new Uint16Array([0x3c00, 0x4000, 0x4200, 0xb800]));
  const pipeline = await device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module: device.createShaderModule({ code: doubleHalves }) },
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = [{ binding: 0, resource: { buffer: storage } }];
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(storage, 0, readback, 0, 8);
  device.queue.submit([encoder.finish()]);
  await readback.mapAsync(GPUMapMode.READ);
  const got = [...new Uint16Array(readback.getMappedRange().slice(0))];
  device.destroy();
  // 2, 4, 6 and -1.
  const want = [0x4000, 0x4400, 0x4600, 0xbc00];
  if (got.join() !== want.join()) throw new Error(`halves came back as ${got.join()}, wanted ${want.join()}`);
}
