/** Of (h): requests for the loads of a cache, with the records of a layer in several orders. */
import { POLICIES } from '../../src/experts/policies.ts';
import { chainedOrder, hottestOrder, requestsOf } from '../../src/experts/study/placement.ts';
import { ratioPlaces, replay } from '../../src/experts/study/simulate.ts';
import type { RoutingTrace } from '../../src/experts/study/trace.ts';
import { MOST_JOINED_BYTES } from '../../src/io/coalesce.ts';
import { table, type PartResult } from '../report.ts';

/** A trace in the units of a file, and the bytes of one. */
export interface PlacedTrace {
  readonly name: string;
  readonly trace: RoutingTrace;
  readonly recordBytes: number;
}

/** Orders are learnt on the first half of each trace, and requests counted in the second. */
export function placementStudy(traces: readonly PlacedTrace[], ratios: readonly number[]): PartResult {
  const results = traces.map((placed) => ({ name: placed.name, sizes: studyPlacement(placed, ratios) }));
  const percent = (share: number) => (100 * share).toFixed(1);
  const rows = results.flatMap(({ name, sizes }) =>
    sizes.map(({ ratio, loads, chained, hottest, byId, joined }) => [
      name,
      ratio,
      loads,
      ...[byId, hottest, chained, joined].map(percent),
    ]),
  );
  const markdown =
    '**Placement** (papers 75 and 130): requests saved, % of the loads, where records that lie side by side in a file and are loaded for one token ' +
    'are one request. `atomoe pack --trace` chains experts by co-activation; the order is learnt on the first half of each trace, loads are ' +
    'those of a cache of c times the experts of a token in the second half (policy `ema`). The last column joins records up to ' +
    `${MOST_JOINED_BYTES >> 20} MiB, as the engine does. MoETuner (arXiv:2502.06643) places experts on devices by token routing, and reports 9.3 and ` +
    '17.5 % of speed on one node and on several. ExpertFlow (arXiv:2410.17954) loads experts by predicted routes; here routes are recorded ones.\n\n' +
    table(['trace', 'c', 'loads', 'by id', 'hottest first', 'chained', 'chained, as read'], rows);
  return { markdown, results };
}

function studyPlacement({ trace, recordBytes }: PlacedTrace, ratios: readonly number[]) {
  const middle = trace.steps >> 1;
  const orders = {
    byId: undefined,
    hottest: hottestOrder(trace, { to: middle }),
    chained: chainedOrder(trace, { to: middle }),
  };
  const mostTogether = Math.max(1, Math.floor(MOST_JOINED_BYTES / recordBytes));
  const sizes = ratios.map((ratio) => {
    const played = replay(trace, POLICIES.ema, ratioPlaces(trace, ratio));
    const saved = (order: (typeof orders)[keyof typeof orders], most = Infinity) => {
      const { loads, requests } = requestsOf(trace, played, order, { from: middle, mostTogether: most });
      return 1 - requests / loads;
    };
    return {
      ratio,
      loads: requestsOf(trace, played, undefined, { from: middle }).loads,
      byId: saved(orders.byId),
      hottest: saved(orders.hottest),
      chained: saved(orders.chained),
      joined: saved(orders.chained, mostTogether),
    };
  });
  return sizes.filter(({ loads }) => loads > 0); // none where the cache holds every unit
}
