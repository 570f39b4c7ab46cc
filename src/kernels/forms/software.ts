/** WGSL of forms for software adapters, by file: a script of its own, since no page needs those for hardware too. */
import attentionScores from '../../../shaders/attention/attention-scores.wgsl?raw';
import attentionValues from '../../../shaders/attention/attention-values.wgsl?raw';
import expertDownLane from '../../../shaders/experts/expert-down-lane.wgsl?raw';
import expertGateUpLane from '../../../shaders/experts/expert-gate-up-lane.wgsl?raw';
import expertLane from '../../../shaders/lib/expert-lane.wgsl?raw';
import gateGroupsLane from '../../../shaders/lib/gate-groups-lane.wgsl?raw';
import laneRows1 from '../../../shaders/lib/lane-rows-1.wgsl?raw';
import laneRows4 from '../../../shaders/lib/lane-rows-4.wgsl?raw';
import laneRows8 from '../../../shaders/lib/lane-rows-8.wgsl?raw';
import reduce4Quad from '../../../shaders/lib/reduce4-quad.wgsl?raw';
import tileRows1 from '../../../shaders/lib/tile-rows-1.wgsl?raw';
import tileRows8 from '../../../shaders/lib/tile-rows-8.wgsl?raw';
import linearLane from '../../../shaders/linear/linear-lane.wgsl?raw';
import gateLane from '../../../shaders/routing/gate-lane.wgsl?raw';

export const texts = {
  'attention/attention-scores': attentionScores,
  'attention/attention-values': attentionValues,
  'experts/expert-down-lane': expertDownLane,
  'experts/expert-gate-up-lane': expertGateUpLane,
  'lib/expert-lane': expertLane,
  'lib/gate-groups-lane': gateGroupsLane,
  'lib/lane-rows-1': laneRows1,
  'lib/lane-rows-4': laneRows4,
  'lib/lane-rows-8': laneRows8,
  'lib/reduce4-quad': reduce4Quad,
  'lib/tile-rows-1': tileRows1,
  'lib/tile-rows-8': tileRows8,
  'linear/linear-lane': linearLane,
  'routing/gate-lane': gateLane,
};
