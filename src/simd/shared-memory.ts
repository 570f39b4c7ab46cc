/** Modules over a shared memory, of those over one that is not: the code is the same, and one import differs. */
import { invariant } from '../errors.ts';

/** The section of imports, of 15 bytes: env.memory, of one page or more. */
const OWN = [0x02, 15, 1, 3, ...text('env'), 6, ...text('memory'), 0x02, 0x00, 1];
/** The same of 18 bytes: shared, of one to 65536 pages. */
const SHARED = [0x02, 18, ...OWN.slice(2, -2), 0x03, 1, 0x80, 0x80, 0x04];

/** The longest list of types in front of it. */
const MOST_TYPES_BYTES = 4096;

/** A module of `simd/build.mjs` for a shared memory of up to 4 GiB. */
export function withSharedMemory(module: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const at = module.findIndex(
    (_, i) => i < MOST_TYPES_BYTES && OWN.every((byte, k) => module[i + k] === byte),
  );
  invariant(at >= 0, () => 'the module does not import env.memory as simd/build.mjs writes it');
  const shared = new Uint8Array(module.length + SHARED.length - OWN.length);
  shared.set(module.subarray(0, at));
  shared.set(SHARED, at);
  shared.set(module.subarray(at + OWN.length), at + SHARED.length);
  return shared;
}

function text(name: string): number[] {
  return [...new TextEncoder().encode(name)];
}
