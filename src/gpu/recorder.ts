import { alignUp, slice, type Buffer, type BufferSlice } from './buffer.ts';
import type { Gpu } from './device.ts';
import type { BindGroup } from './pipeline.ts';
import type { Params } from './program.ts';

/** Number of workgroups of a dispatch. */
export type Grid = readonly [x: number, y: number, z: number];

/** One dispatch, ready to be recorded. */
export interface Command {
  readonly group: BindGroup;
  readonly grid: Grid | { readonly indirect: Buffer; readonly offsetBytes: number };
  readonly work?: number; // approximate multiply-adds; for paced steps
}

/** A copy between buffers, in bytes. */
export interface Copy {
  readonly from: Buffer;
  readonly fromOffsetBytes: number;
  readonly to: Buffer;
  readonly toOffsetBytes: number;
  readonly sizeBytes: number;
}

/** Timestamp queries for measurements: two per command. */
export interface PassTimer {
  readonly set: GPUQuerySet;
  readonly first: number; // index of the first query to use
}

/** Records all commands in one pass, then the copies, and submits them together. */
export function submit(
  gpu: Gpu,
  commands: readonly Command[],
  copies: readonly Copy[] = [],
  timer?: PassTimer,
): void {
  gpu.assertUsable();
  const encoder = gpu.device.createCommandEncoder();
  if (timer) recordTimed(encoder, commands, timer);
  else if (commands.length > 0) {
    const pass = encoder.beginComputePass();
    for (const command of commands) record(pass, command);
    pass.end();
  }
  for (const { from, fromOffsetBytes, to, toOffsetBytes, sizeBytes } of copies) {
    encoder.copyBufferToBuffer(from.handle, fromOffsetBytes, to.handle, toOffsetBytes, sizeBytes);
  }
  gpu.device.queue.submit([encoder.finish()]);
  gpu.counters.submits += 1;
  gpu.counters.dispatches += commands.length;
  gpu.counters.copies += copies.length;
}

function record(pass: GPUComputePassEncoder, { group, grid }: Command): void {
  pass.setPipeline(group.pipeline.handle);
  pass.setBindGroup(0, group.handle);
  if ('indirect' in grid) pass.dispatchWorkgroupsIndirect(grid.indirect.handle, grid.offsetBytes);
  else pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
}

/** One pass per dispatch: timestamps are taken at pass boundaries. */
function recordTimed(encoder: GPUCommandEncoder, commands: readonly Command[], timer: PassTimer): void {
  commands.forEach((command, index) => {
    const at = timer.first + 2 * index;
    const pass = encoder.beginComputePass({
      timestampWrites: { querySet: timer.set, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 },
    });
    record(pass, command);
    pass.end();
  });
}

const PARAMS_ALIGNMENT = 256; // the portable minUniformBufferOffsetAlignment

/** One uniform buffer with the parameters of all dispatches of a plan, one slot each. */
export class ParamsArena {
  readonly buffer: Buffer;
  readonly #gpu: Gpu;
  readonly #words: DataView<ArrayBuffer>;

  constructor(gpu: Gpu, label: string, slots: number) {
    this.#gpu = gpu;
    this.buffer = gpu.createBuffer({
      label,
      sizeBytes: Math.max(1, slots) * PARAMS_ALIGNMENT,
      kind: 'activations',
      use: 'uniform',
    });
    this.#words = new DataView(new ArrayBuffer(this.buffer.sizeBytes));
  }

  /** The slice that a dispatch binds. */
  slot(index: number, params: Params): BufferSlice {
    return slice(this.buffer, index * PARAMS_ALIGNMENT, paramsSizeBytes(params));
  }

  /** Sets the values of a slot; `flush` uploads them. */
  set(index: number, params: Params, values: Readonly<Record<string, number>>): void {
    writeParams(this.#words, index * PARAMS_ALIGNMENT, params, values);
  }

  /** Uploads the values of all slots. */
  flush(): void {
    this.#gpu.write(this.buffer, 0, this.#words);
  }
}

/** Size of the bound uniform struct in bytes: a multiple of 16. */
export function paramsSizeBytes(params: Params): number {
  return alignUp(4 * Object.keys(params).length, 16);
}

/** Writes the parameters of one dispatch in declaration order, 4 bytes each. */
export function writeParams(
  view: DataView,
  offsetBytes: number,
  params: Params,
  values: Readonly<Record<string, number>>,
): void {
  let at = offsetBytes;
  for (const name in params) {
    const value = values[name];
    if (value === undefined || Number.isNaN(value)) throw new Error(`parameter ${name} is ${value}`);
    if (params[name] === 'f32') view.setFloat32(at, value, true);
    else if (params[name] === 'i32') view.setInt32(at, value, true);
    else view.setUint32(at, value, true);
    at += 4;
  }
}
