/** WebGPU in Node: Dawn, from the optional peer package `webgpu`. */
import { AtomoeError } from '../errors.ts';
import type { GpuEntry } from '../gpu/device.ts';

/** Dawn goes when the object that `create` gave is collected, and takes its devices along: kept for life. */
const entries: GpuEntry[] = [];

/** @throws {AtomoeError} no-webgpu - the package is missing, does not load here, or finds no driver */
export async function openDawn(): Promise<GpuEntry> {
  const { create } = await import('webgpu').catch((cause: unknown) => {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const why = isMissing ? 'is not installed' : `does not load here (${messageOf(cause)})`;
    throw new AtomoeError(
      'no-webgpu',
      `the package "webgpu" ${why}; run npm install webgpu, or use --device cpu`,
      {
        cause,
      },
    );
  });
  const entry = create([]) as GpuEntry;
  entries.push(entry);
  if (await entry.requestAdapter()) return entry;
  throw new AtomoeError(
    'no-webgpu',
    'Dawn finds no graphics adapter on this machine; wanted a Vulkan, Metal or D3D12 driver; install one, or use ' +
      '--device cpu',
  );
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
