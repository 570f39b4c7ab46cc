/**
 * Memory that was read into and is free again. A model's experts pass through it by gigabytes, and browsers collect buffers
 * late: without it hundreds of megabytes that nobody uses wait to be collected.
 */

/** Kept at most: what is in use while experts of 32 MiB are read, their parts and the records made of them. */
const MOST_SPARE_BYTES = 64 * 2 ** 20;

/** Smaller ones cost nothing to make anew. */
const LEAST_BYTES = 64 * 1024;

/** Buffers that are lent. What comes from elsewhere, such as a caller's own source, may be somebody's still. */
const lent = new WeakSet<ArrayBuffer>();

/** The one that was given back last is last; its size is zero if its buffer was transferred meanwhile. */
const spares: { readonly bytes: Uint8Array<ArrayBuffer>; readonly givenBytes: number }[] = [];
let spareBytes = 0;

/** Memory of a size, with whatever was in it. */
export function takeMemory(sizeBytes: number): Uint8Array<ArrayBuffer> {
  if (sizeBytes < LEAST_BYTES) return new Uint8Array(sizeBytes);
  const at = spares.findLastIndex(({ bytes }) => bytes.byteLength === sizeBytes);
  const [found] = at < 0 ? [] : spares.splice(at, 1);
  if (found) spareBytes -= sizeBytes;
  return moved(found?.bytes ?? new Uint8Array(sizeBytes));
}

/** The same memory, whose buffer is another object since it was transferred. */
export function moved(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  lent.add(bytes.buffer);
  return bytes;
}

/**
 * Gives memory of `takeMemory` back for other reads, once; other memory stays its owner's.
 *
 * @param bytes - nobody uses them any more: they will be written over
 */
export function giveMemory(bytes: Uint8Array<ArrayBuffer>): void {
  const { byteLength, buffer } = bytes;
  const isWhole = byteLength === buffer.byteLength;
  if (!lent.has(buffer) || !isWhole || byteLength < LEAST_BYTES || byteLength > MOST_SPARE_BYTES) return;
  lent.delete(buffer);
  spares.push({ bytes, givenBytes: byteLength });
  spareBytes += byteLength;
  while (spareBytes > MOST_SPARE_BYTES) spareBytes -= spares.shift()?.givenBytes ?? spareBytes;
}
