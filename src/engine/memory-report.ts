/** Memory in use, in bytes, by purpose: GPU memory, or WebAssembly memory where the CPU runs the model. */
export interface MemoryReport {
  readonly totalBytes: number;
  readonly weightsBytes: number;
  readonly expertsBytes: number;
  readonly kvCacheBytes: number;
  readonly activationsBytes: number;
  readonly stagingBytes: number;
}

/** Where nothing is loaded, or nothing is on a GPU. */
export const NO_MEMORY: MemoryReport = {
  totalBytes: 0,
  weightsBytes: 0,
  expertsBytes: 0,
  kvCacheBytes: 0,
  activationsBytes: 0,
  stagingBytes: 0,
};
