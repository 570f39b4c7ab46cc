import type { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/node.ts';
import type { ConfigReader } from './config.ts';
import type { FileTensors } from './file-tensors.ts';
import type { ModelSpec } from './spec.ts';

/** How a graph is built for a use: what it answers with, and for how many tokens. */
export interface GraphPurpose {
  readonly logits: 'last' | 'all'; // rows of logits: of the last token, or of every token
  readonly sample: boolean; // ends with the record that sampling reads
  readonly contextTokens: number;
  /** Each layer with experts also says what so many of the next ones would choose. Default 0. */
  readonly lookahead?: number;
  /** Experts whose weight is below this are left out. Default: none. */
  readonly skipBelow?: number;
}

/**
 * A model family: maps a config onto a `ModelSpec`. `build` is for families whose blocks the standard transformer
 * graph does not know; it may use ops from anywhere.
 */
export interface ModelFamily {
  readonly modelTypes: readonly string[]; // `model_type` in config.json
  /** `file` tells which of several spellings a file uses; without one, the usual spelling is meant. */
  readonly parse: (config: ConfigReader, file?: FileTensors) => ModelSpec;
  readonly build?: (spec: ModelSpec, purpose: GraphPurpose, builder: GraphBuilder) => Graph;
}
