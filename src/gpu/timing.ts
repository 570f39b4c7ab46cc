import { AtomoeError } from '../errors.ts';
import type { Gpu } from './device.ts';
import { submit, type Command } from './recorder.ts';

/**
 * Runs each command in its own pass and times it with GPU timestamps.
 *
 * @returns milliseconds of each command; browsers may round to 0.1 ms
 * @throws {AtomoeError} limit-too-small - the device has no timestamp queries
 */
export async function timeCommands(gpu: Gpu, commands: readonly Command[]): Promise<number[]> {
  if (!gpu.features.has('timestamp-query')) {
    throw new AtomoeError(
      'limit-too-small',
      'this device has no timestamp queries; kernels cannot be timed one by one; time whole steps instead',
    );
  }
  const count = 2 * commands.length;
  const set = gpu.device.createQuerySet({ type: 'timestamp', count });
  const resolved = gpu.device.createBuffer({ size: 8 * count, usage: 0x200 | 0x4 }); // QUERY_RESOLVE | COPY_SRC
  const staging = gpu.device.createBuffer({ size: 8 * count, usage: 0x1 | 0x8 }); // MAP_READ | COPY_DST
  try {
    submit(gpu, commands, [], { set, first: 0 });
    const encoder = gpu.device.createCommandEncoder();
    encoder.resolveQuerySet(set, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 8 * count);
    gpu.device.queue.submit([encoder.finish()]);
    await Promise.race([staging.mapAsync(0x1), gpu.lost]);
    const ticks = new BigUint64Array(staging.getMappedRange());
    return commands.map((_, index) => Number((ticks[2 * index + 1] ?? 0n) - (ticks[2 * index] ?? 0n)) / 1e6);
  } finally {
    set.destroy();
    resolved.destroy();
    staging.destroy();
  }
}
