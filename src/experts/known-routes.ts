/** Routes that are known before the layers decide: of a replayed trace, or of tables by token id. */

/** What is known of the routes of a step's tokens and of those after it. */
export interface KnownRoutes {
  /**
   * The experts that a token is going to use in a layer, in rank order; what is no expert of the layer stands for none.
   *
   * @param ahead - tokens after the first of the step: 0 is that one
   * @returns undefined: not known, the layer decides when it runs
   */
  experts(layer: number, ahead: number): ArrayLike<number> | undefined;
}
