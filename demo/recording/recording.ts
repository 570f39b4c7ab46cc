/** A story as it was once told: what `scripts/recording.mjs` writes, and what the page plays. */
import type { TokenRoutes } from '../../src/engine/api.ts';
import type { ExpertShape } from '../../src/element/index.ts';
import { unpackRoutes } from './routes-text.ts';

/** One reply of a real run, with the experts of each token. */
export interface Recording {
  readonly model: string; // an id of `EMBEDDED`
  readonly adapter: string; // what computed it
  readonly prompt: string;
  readonly seed: number;
  readonly temperature: number;
  readonly experts: Required<Pick<ExpertShape, 'layers' | 'perLayer' | 'grid'>>;
  readonly expertsPerToken: number; // of one layer
  readonly ids: readonly number[]; // of the tokens
  readonly texts: readonly string[]; // what each token adds to the text
  readonly atMs: readonly number[]; // when each token was there, since the run began
  readonly routes: readonly string[]; // of each token: its layers as `packRoutes` writes them, with spaces between
}

/** The experts of one token. Their weights were not recorded: all count alike. */
export function routesAt({ routes, experts, expertsPerToken }: Recording, token: number): TokenRoutes {
  const ids = (routes[token] ?? '').split(' ').map((layer) => unpackRoutes(layer, experts.grid));
  return { ids, weights: ids.map((layer) => layer.map(() => 1 / expertsPerToken)) };
}
