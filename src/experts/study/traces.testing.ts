/** Traces for tests: the shared ones of real models, and random ones. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { seededRandom } from '../../containers/seeded-random.testing.ts';
import { parseTrace } from './trace-file.ts';
import { buildTrace, type RoutingTrace } from './trace.ts';

export const QWEN = sharedTrace('qwen.route.csv.gz');
export const GPT_OSS = sharedTrace('gptoss.route.csv.gz');

function sharedTrace(name: string): RoutingTrace {
  const text = gunzipSync(readFileSync(`fixtures/traces/${name}`)).toString();
  return parseTrace(text, name);
}

/** Tokens that use some units more often than others, and as many as they like. */
export function randomTrace(seed: number): RoutingTrace {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const layers = 1 + below(4);
  const units = 2 + below(12);
  const topK = 1 + below(Math.min(4, units));
  const pick = () => {
    const ids = new Set<number>();
    const count = random() < 0.1 ? below(topK + 1) : topK;
    while (ids.size < count) ids.add(Math.floor(units * random() ** 2));
    return [...ids];
  };
  const routes = Array.from({ length: 5 + below(60) }, () => Array.from({ length: layers }, pick));
  const uses = Array.from({ length: layers }, () => Uint32Array.from({ length: units }, () => below(5)));
  const head = {
    label: `random ${seed}`,
    layers,
    units,
    topK,
    unitBytes: Array<number>(layers).fill(100),
    prime: random() < 0.5 ? { tokens: 5, uses } : null,
    warmUp: below(4),
  };
  return buildTrace(head, routes);
}

/** A trace of one layer, without warm-up. */
export function layerTrace(units: number, steps: readonly (readonly number[])[]): RoutingTrace {
  const topK = Math.max(...steps.map(({ length }) => length));
  const head = { label: 'layer', layers: 1, units, topK, unitBytes: [100], prime: null, warmUp: 0 };
  return buildTrace(
    head,
    steps.map((ids) => [ids]),
  );
}
