/**
 * Memory that was read into and is free again. A model's experts pass through it by gigabytes, and browsers collect buffers
 * late: without it hundreds of megabytes that nobody uses wait to be collected.
 */

/** Kept at most: two of the largest experts that are published. */
const MOST_SPARE_BYTES = 32 * 2 ** 20;

/** Smaller ones cost nothing to make anew. */
const LEAST_BYTES = 64 * 1024;

/** The one that was given back last is last. */
const spares: Uint8Array<ArrayBuffer>[] = [];
let spareBytes = 0;

/** Memory of a size, with whatever was in it. */
export function takeMemory(sizeBytes: number): Uint8Array<ArrayBuffer> {
  const at = spares.findLastIndex(({ byteLength }) => byteLength === sizeBytes);
  const [found] = at < 0 ? [] : spares.splice(at, 1);
  if (!found) return new Uint8Array(sizeBytes);
  spareBytes -= sizeBytes;
  return found;
}

/**
 * Gives memory back for other reads.
 *
 * @param bytes - the caller's own, and nobody uses them any more: they will be written over
 */
export function giveMemory(bytes: Uint8Array<ArrayBuffer>): void {
  const { byteLength, buffer } = bytes;
  if (byteLength < LEAST_BYTES || byteLength > MOST_SPARE_BYTES || byteLength !== buffer.byteLength) return;
  spares.push(bytes);
  spareBytes += byteLength;
  while (spareBytes > MOST_SPARE_BYTES) spareBytes -= spares.shift()?.byteLength ?? 0;
}
