/** What routers decided, and what a request changes in it: plain data, as JSON has it. */

/**
 * Experts that made one token: `ids[layer]` are expert ids in rank order, `weights[layer]` their weights. Experts of pruned and
 * merged models have the numbers of the original, here and in hooks.
 */
export interface TokenRoutes {
  readonly ids: readonly (readonly number[])[];
  readonly weights: readonly (readonly number[])[];
}

/** The numbers that experts had before others were left out or merged. */
export interface ExpertNumbers {
  readonly count: number; // of a layer's experts then
  readonly ids: readonly (readonly number[])[]; // by layer: the number that each expert had
}

/** Routes of consecutive tokens, as `trace` asks for them and `hooks.replay` takes them. */
export interface RoutingTrace {
  readonly from?: number; // tokens in the context before them; default 0
  readonly tokens: readonly TokenRoutes[];
}

/**
 * Changes of what linear routers decide, for one reply. A layer's `bias`, `steer` and `mask` change its logits z, in this
 * order; `ranks` or `replay` take the place of its choice. What the cache holds of other hooks is computed again.
 */
export interface RoutingHooks {
  readonly all?: LayerHooks; // of every layer with experts that has none of its own
  readonly layers?: readonly (LayerHooks | null)[]; // [layer with experts]
  readonly replay?: RouteReplay;
}

/** The hooks of one layer with experts; ids are from 0 on. */
export interface LayerHooks {
  readonly bias?: readonly number[]; // [experts]: added to z
  readonly steer?: RouteSteer;
  readonly mask?: readonly number[]; // ids that are never chosen: z = -inf
  readonly ranks?: readonly number[]; // of the experts by their value, to be chosen in place of the first ones: each once
}

/** Moves the logits of some experts: by `strength` standard deviations of z, or to max(z) + `epsilon`. */
export interface RouteSteer {
  readonly experts: readonly number[];
  readonly mode?: 'soft' | 'hard'; // default 'soft'
  readonly strength?: number; // needed with 'soft'
  readonly epsilon?: number; // of 'hard'; default 1e-3
  readonly deviation?: 'sample' | 'population'; // default 'sample', divided by one less than the number of experts
}

/** Gives tokens the experts that a trace names for their position; tokens outside of it choose for themselves. */
export interface RouteReplay {
  readonly trace: RoutingTrace;
  readonly weights?: 'recompute' | 'recorded'; // from the run's own logits (default), or those of the trace
}
