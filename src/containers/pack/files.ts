/** The files of a packed model: their names, and where records are in them. `pack.ts` has the whole format. */
export const MANIFEST_FILE = 'atomoe.json';

/** The file of a packed model that holds everything but routed experts. */
export const DENSE_FILE = 'dense.safetensors';

/** Pages of memory and blocks of disks: a record begins on one. */
const RECORD_ALIGNMENT = 4096;

/** Blocks of dense.safetensors that have a hash each: as much as an HTTP source reads first of a file. */
export const DENSE_BLOCK_BYTES = 64 * 1024;

/** A file of records. */
export interface PackFile {
  readonly name: string;
  readonly sizeBytes: number;
}

/** From one record's start to the next one's. */
export function recordStride(sizeBytes: number): number {
  return Math.ceil(sizeBytes / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}

/** The files of this many records, of which `perFile` fit into one. */
export function expertFiles(records: number, perFile: number, strideBytes: number): PackFile[] {
  return Array.from({ length: Math.ceil(records / perFile) }, (_, index) => ({
    name: `experts-${String(index + 1).padStart(5, '0')}.bin`,
    sizeBytes: Math.min(perFile, records - index * perFile) * strideBytes,
  }));
}
