/** The order of records in a pack, from a recorded trace of the model. */
import type { Drafted } from '../engine/load/planning.ts';
import { AtomoeError, invariant } from '../errors.ts';
import type { UnitOrder } from '../containers/pack/places.ts';
import { chainedOrder } from '../experts/study/placement.ts';
import { mapTrace, type RoutingTrace } from '../experts/study/trace.ts';
import { readTrace } from './simulate.ts';

/**
 * Puts units that tokens of the trace use together side by side.
 *
 * @param path - routes (`run --routes`) or hooks (`run --trace`) of this model, or of the one that it was pruned from
 * @throws {AtomoeError} bad-input - a trace of another model; as `readTrace`
 */
export async function orderByTrace(path: string, drafted: Drafted): Promise<UnitOrder> {
  const { numbers, experts } = drafted;
  invariant(experts, () => 'a model without experts');
  const trace = await readTrace(path, numbers?.count ?? expertsOf(drafted));
  return chainedOrder(inUnits(trace, drafted, path));
}

function expertsOf({ expertLayers }: Drafted): number {
  return Math.max(...expertLayers.map(({ experts }) => experts));
}

/** The trace with the units of the pack: its experts, or pages of them. */
function inUnits(trace: RoutingTrace, drafted: Drafted, path: string): RoutingTrace {
  const { checkpoint, numbers } = drafted;
  const { layers = 0, unitsPerLayer = 0 } = drafted.experts ?? {};
  const experts = expertsOf(drafted);
  const perUnit = experts / unitsPerLayer;
  if (trace.layers === layers) {
    if (numbers && trace.units === numbers.count) {
      const own = numbers.ids.map((ids) => new Map(ids.map((number, id) => [number, id])));
      return mapTrace(trace, unitsPerLayer, (layer, number) => {
        const id = own[layer]?.get(number);
        return id === undefined ? undefined : Math.floor(id / perUnit);
      });
    }
    if (trace.units === unitsPerLayer) return trace;
    if (trace.units === experts) return mapTrace(trace, unitsPerLayer, (_, id) => Math.floor(id / perUnit));
  }
  const pages = perUnit === 1 ? '' : ` in ${unitsPerLayer} pages`;
  throw new AtomoeError(
    'bad-input',
    `--trace ${path} is of ${trace.layers} layers of ${trace.units} experts, ${checkpoint.label} has ${layers} of ` +
      `${experts}${pages}; wanted a trace of this model; record one with run --routes`,
  );
}
