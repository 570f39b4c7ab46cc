/** Finds WebGPU in a page, a worker or Node. */
import { AtomoeError } from '../errors.ts';

/** The entry point of WebGPU: `navigator.gpu`, or Dawn's equivalent in Node. */
export type GpuEntry = GPU;

/** @throws {AtomoeError} no-webgpu - WebGPU is not available; the message has the reason */
export async function findGpuEntry(): Promise<GpuEntry> {
  const { navigator, process, isSecureContext, location } = globalThis as Surroundings;
  if (navigator?.gpu) return navigator.gpu;
  if (process?.versions?.node !== undefined) return (await import('./dawn.ts')).openDawn();
  if (isSecureContext === false) {
    throw new AtomoeError(
      'no-webgpu',
      `WebGPU requires a secure page, and ${location?.origin ?? 'this page'} is not one; wanted https:// ` +
        "or localhost; serve the page there, or use device: 'cpu'",
    );
  }
  throw new AtomoeError(
    'no-webgpu',
    'this browser has no WebGPU; wanted navigator.gpu; use Chrome or Edge 113+, Safari 26+ or Firefox 141+, or ' +
      "device: 'cpu'",
  );
}

/** Globals that may be missing, depending on the environment. */
interface Surroundings {
  readonly navigator?: { readonly gpu?: GpuEntry };
  readonly process?: { readonly versions?: { readonly node?: string } };
  readonly isSecureContext?: boolean;
  readonly location?: { readonly origin: string };
}
