/** Shared by formats whose weights are stored consecutively, without scales. */
import type { Plane } from './format.ts';

/** The planes of a [rows, cols] matrix without scales: one plane, padded to 32-bit words. */
export function floatPlanes(elementBytes: number, rows: number, cols: number): readonly Plane[] {
  const sizeBytes = Math.ceil((rows * cols * elementBytes) / 4) * 4;
  return [{ name: 'values', offsetBytes: 0, sizeBytes }];
}

/** The 16-bit elements of a matrix: a view of the bytes if they are aligned, else of a copy. */
export function halves(bytes: Uint8Array<ArrayBuffer>, elements: number): Uint16Array<ArrayBuffer> {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, elements);
}
