import { AtomoeError } from '../../errors.ts';

/** Which units each token used, layer by layer: what caches can be tried on without a model. */
export interface RoutingTrace {
  readonly label: string;
  readonly layers: number; // those with experts
  readonly units: number; // in each layer
  readonly topK: number; // units of one token in one layer at most
  readonly unitBytes: readonly number[]; // by layer
  readonly prime: Prime | null; // what a prompt of many tokens used before the first step
  readonly steps: number; // tokens
  readonly warmUp: number; // this many steps at the beginning fill the cache and do not count
  readonly ids: Uint32Array; // [uses]: step by step, layer by layer, in rank order
  readonly starts: Uint32Array; // [steps * layers + 1]: where the ids of a step and layer begin
}

/** How often each unit was used by a prompt. */
export interface Prime {
  readonly tokens: number;
  readonly uses: readonly Uint32Array[]; // by layer: [units]
}

/** What a trace says of itself, without its steps. */
export type TraceHead = Omit<RoutingTrace, 'steps' | 'ids' | 'starts'>;

/** @returns the units that one step uses in one layer, in rank order */
export function unitsOf({ ids, starts, layers }: RoutingTrace, step: number, layer: number): Uint32Array {
  const index = step * layers + layer;
  return ids.subarray(starts[index], starts[index + 1]);
}

/** @returns where the uses of a step begin in `ids` */
export function startOf({ starts, layers }: RoutingTrace, step: number): number {
  return starts[step * layers] ?? 0;
}

/** Units of all layers together: replaying a policy takes about 30 bytes for each. OmniMoE's largest has 4 million. */
const MOST_UNITS = 2 ** 23;
const MOST_UNIT_BYTES = 2 ** 40;

/**
 * Compares what a head claims with what its routes hold, before anything is allocated by the claim.
 *
 * @throws {AtomoeError} bad-file - counts that the routes contradict, or beyond what a model may have
 */
export function checkHead(
  { label, layers, units, topK, warmUp }: Pick<TraceHead, 'label' | 'layers' | 'units' | 'topK' | 'warmUp'>,
  routes: readonly (readonly unknown[])[],
): void {
  if (routes.length <= warmUp) throw badTrace(label, 'it has no decode step, one or more are wanted');
  routes.forEach((step, index) => {
    if (step.length !== layers)
      throw badTrace(label, `step ${index} has ${step.length} layers, ${layers} are wanted`);
  });
  if (!(layers >= 1) || !(units >= 1) || !(layers * units <= MOST_UNITS)) {
    throw badTrace(
      label,
      `it has ${layers} layers of ${units} experts, at most ${MOST_UNITS} in all are wanted`,
    );
  }
  if (!(topK >= 1) || topK > units)
    throw badTrace(label, `it uses ${topK} of ${units} experts, no more than there are is wanted`);
}

/**
 * @param routes - [steps][layers][units of the token, in rank order]
 * @throws {AtomoeError} bad-file - ids that the head does not allow
 */
export function buildTrace(
  head: TraceHead,
  routes: readonly (readonly (readonly number[])[])[],
): RoutingTrace {
  checkHead(head, routes);
  if (!head.unitBytes.every((bytes) => bytes <= MOST_UNIT_BYTES))
    throw badTrace(head.label, `an expert has more than ${MOST_UNIT_BYTES} bytes, fewer are wanted`);
  const starts = new Uint32Array(routes.length * head.layers + 1);
  let uses = 0;
  routes.forEach((step, index) => {
    step.forEach((units, layer) => {
      checkUnits(head, units, `step ${index}, layer ${layer}`);
      uses += units.length;
      starts[index * head.layers + layer + 1] = uses;
    });
  });
  return { ...head, steps: routes.length, starts, ids: Uint32Array.from(routes.flat(2)) };
}

function checkUnits({ label, units, topK }: TraceHead, ids: readonly number[], where: string): void {
  if (ids.length > topK) {
    throw badTrace(label, `${where} uses ${ids.length} experts, at most ${topK} are wanted`);
  }
  const seen = new Set<number>();
  ids.forEach((id) => {
    if (!Number.isInteger(id) || id < 0 || id >= units) {
      throw badTrace(label, `${where} uses expert ${id}, whole numbers from 0 to ${units - 1} are wanted`);
    }
    if (seen.has(id)) throw badTrace(label, `${where} uses expert ${id} twice, each is wanted once`);
    seen.add(id);
  });
}

/**
 * The trace with other numbers of its units.
 *
 * @param numbers - how many units there are in these numbers, and the number of each unit of a layer
 */
export function renumberTrace(
  trace: RoutingTrace,
  { count, ids }: { readonly count: number; readonly ids: readonly (readonly number[])[] },
): RoutingTrace {
  const { layers, prime } = trace;
  const renumbered = trace.ids.slice();
  for (let index = 0; index < trace.steps * layers; index += 1) {
    const own = ids[index % layers];
    const end = trace.starts[index + 1] ?? 0;
    for (let use = trace.starts[index] ?? 0; use < end; use += 1) {
      renumbered[use] = own?.[renumbered[use] ?? 0] ?? 0;
    }
  }
  const uses = prime?.uses.map((counts, layer) => {
    const all = new Uint32Array(count);
    counts.forEach((times, unit) => (all[ids[layer]?.[unit] ?? 0] = times));
    return all;
  });
  return { ...trace, units: count, ids: renumbered, prime: prime && { ...prime, uses: uses ?? [] } };
}

/**
 * The trace of units that stand for those of another: pages for their experts, or the experts that are left. Units that stand for several of
 * a token are used once.
 *
 * @param units - of each layer
 * @param unitOf - the unit for one of the trace; undefined: there is none
 */
export function mapTrace(
  trace: RoutingTrace,
  units: number,
  unitOf: (layer: number, unit: number) => number | undefined,
): RoutingTrace {
  const { layers, steps, prime } = trace;
  const mapped = (layer: number, ids: Iterable<number>) => [
    ...new Set([...ids].map((id) => unitOf(layer, id)).filter((unit) => unit !== undefined)),
  ];
  const routes = Array.from({ length: steps }, (_, step) =>
    Array.from({ length: layers }, (_, layer) => mapped(layer, unitsOf(trace, step, layer))),
  );
  const uses = prime?.uses.map((counts, layer) => {
    const sums = new Uint32Array(units);
    counts.forEach((count, id) => {
      const unit = unitOf(layer, id);
      if (unit !== undefined) sums[unit] = (sums[unit] ?? 0) + count;
    });
    return sums;
  });
  const topK = Math.min(units, trace.topK);
  return buildTrace({ ...trace, units, topK, prime: prime && { ...prime, uses: uses ?? [] } }, routes);
}

/** @param problem - what is wrong, and what was wanted */
export function badTrace(label: string, problem: string, options?: ErrorOptions): AtomoeError {
  return new AtomoeError('bad-file', `${label}: ${problem}; record the trace again`, options);
}
