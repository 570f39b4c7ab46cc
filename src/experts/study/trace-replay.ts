/** Traces of replies (`run --trace`): hooks that replay the experts of each token. */
import { isJsonObject, type JsonObject } from '../../io/json-file.ts';
import { badTrace, buildTrace, type RoutingTrace } from './trace.ts';

/** Whether JSON holds hooks of a reply that replay a trace. */
export function isReplay(json: JsonObject): boolean {
  return json['replay'] !== undefined;
}

/**
 * The tokens of such a trace, those of its prompt among them.
 *
 * @param experts - of each layer of the model, which the file does not say; undefined: not known
 * @throws {AtomoeError} bad-file - it is none, or the number of experts is not known
 */
export function parseReplay(json: JsonObject, name: string, experts: number | undefined): RoutingTrace {
  if (experts === undefined) {
    throw badTrace(
      name,
      'it is a trace of hooks, which does not say how many experts there are; wanted routes, as run --routes writes them',
    );
  }
  const routes = routesOf(json);
  if (!routes)
    throw badTrace(name, 'its replay.trace.tokens are not lists of ids by layer, numbers are wanted');
  const layers = routes[0]?.length ?? 0;
  const topK = Math.max(1, ...routes.flatMap((step) => step.map(({ length }) => length)));
  const unitBytes = Array<number>(layers).fill(0);
  return buildTrace({ label: name, layers, units: experts, topK, unitBytes, prime: null, warmUp: 0 }, routes);
}

/** [token][layer]: ids. */
function routesOf({ replay }: JsonObject): number[][][] | undefined {
  const trace = isJsonObject(replay) ? replay['trace'] : undefined;
  const tokens = isJsonObject(trace) ? trace['tokens'] : undefined;
  if (!Array.isArray(tokens)) return undefined;
  const routes: unknown[] = tokens.map((token: unknown) => (isJsonObject(token) ? token['ids'] : undefined));
  return routes.every(isStep) ? routes : undefined;
}

function isStep(value: unknown): value is number[][] {
  const isIds = (ids: unknown) => Array.isArray(ids) && ids.every((id) => typeof id === 'number');
  return Array.isArray(value) && value.every(isIds);
}
