/** How a graph is built for a use: what it answers with, and for how many tokens. */
export interface GraphPurpose {
  readonly logits: 'last' | 'all'; // rows of logits: of the last token, or of every token
  readonly sample: boolean; // ends with the record that sampling reads
  readonly contextTokens: number;
  /** Each layer with experts also says what this many of the next ones would choose. Default 0. */
  readonly lookahead?: number;
  /** Routers that know the scores of the chosen experts keep them. Default: not. */
  readonly scores?: boolean;
  /** Experts whose weight is below this are left out. Default: none. */
  readonly skipBelow?: number;
}
