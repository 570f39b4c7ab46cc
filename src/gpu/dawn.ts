/** WebGPU in Node: Dawn, from the optional peer package `webgpu`. */
import type { create } from 'webgpu';
import { AtomoeError } from '../errors.ts';
import type { GpuEntry } from './entry.ts';

/** Dawn and its devices are destroyed when the object from `create` is garbage-collected, so one is kept permanently. */
let dawn: Promise<GpuEntry> | undefined;

/**
 * Opens Dawn from the package `webgpu`.
 *
 * @param onCpu - the option or flag, as the user types it, for running without a GPU
 * @throws {AtomoeError} no-webgpu - the package is missing, does not load here, or finds no driver
 */
export async function openDawn(onCpu = "device: 'cpu'"): Promise<GpuEntry> {
  dawn ??= loadDawn(onCpu);
  const entry = await dawn.catch((error: unknown) => {
    dawn = undefined; // allows another attempt after an installation
    throw error;
  });
  if (await entry.requestAdapter()) return entry;
  throw new AtomoeError(
    'no-webgpu',
    'Dawn finds no graphics adapter on this machine; wanted a Vulkan, Metal or D3D12 driver; install one, or use ' +
      onCpu,
  );
}

async function loadDawn(onCpu: string): Promise<GpuEntry> {
  const peer = await importPeer('webgpu').catch((cause: unknown) => {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const why = isMissing ? 'is not installed' : `does not load here (${messageOf(cause)})`;
    const message = `Node has no built-in WebGPU, and the package "webgpu" ${why}; run npm install webgpu, or use ${onCpu}`;
    throw new AtomoeError('no-webgpu', message, { cause });
  });
  return peer.create([]);
}

/** Hides the import from bundlers, because browser apps build without the package. */
function importPeer(name: string): Promise<{ create: typeof create }> {
  return import(/* webpackIgnore: true */ /* @vite-ignore */ name);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
