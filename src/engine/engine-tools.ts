/** One dispatch of a step: which kernel ran for which part of the model, and how long. */
export interface DispatchReport {
  readonly label: string; // op and name of the node of the graph
  readonly kernel: string; // key of the pipeline: kernel, types, shape
  readonly ms: number | undefined; // by the GPU's clock, a mean of several steps; undefined where it cannot be asked
}

/** What an engine offers to those who look into a model. */
export interface EngineTools {
  /**
   * Logits of every position of a prompt of token ids: f32 [ids.length, vocab]. Sessions do not notice.
   *
   * @param ids - 1 to `contextTokens` ids below the size of the vocabulary
   * @param mode - all positions in one step (default), or one after another through a KV cache, as replies are made
   * @throws {AtomoeError} bad-input - no model, or wrong ids
   */
  logits(ids: readonly number[], mode?: 'at-once' | 'one-by-one'): Promise<Float32Array>;
  /** What a step of one token consists of, timed where the GPU has timestamp queries; empty where no GPU runs the model. */
  profile(): Promise<readonly DispatchReport[]>;
}
