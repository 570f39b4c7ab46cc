import type { OpenHooks } from './site.ts';

/** The purpose of a graph: its outputs and number of tokens. */
export interface GraphPurpose {
  readonly logits: 'last' | 'all'; // logits of the last token, or of every token
  readonly sample: boolean; // adds the sample record
  readonly contextTokens: number;
  /** Number of following layers whose choices each layer with experts predicts. Default 0. */
  readonly lookahead?: number;
  /** Whether routers output the scores of the chosen experts, if they support it. Default: false. */
  readonly scores?: boolean;
  /** Skips experts with a weight below this bound. Default: none. */
  readonly skipBelow?: number;
  /** Opens the hooks of layers whose routers take any (`hooks.ts`, which only graphs with hooks load). Default: none. */
  readonly hooks?: OpenHooks | undefined;
}
