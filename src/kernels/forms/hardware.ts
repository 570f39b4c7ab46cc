/** WGSL of forms for hardware, by file: a script of its own, since no page needs those for software adapters too. */
import attention from '../../../shaders/attention/attention.wgsl?raw';
import attentionCombine from '../../../shaders/attention/attention-combine.wgsl?raw';
import attentionTiled from '../../../shaders/attention/attention-tiled.wgsl?raw';
import expertDown from '../../../shaders/experts/expert-down.wgsl?raw';
import expertDownPairs from '../../../shaders/experts/expert-down-pairs.wgsl?raw';
import expertGateUp from '../../../shaders/experts/expert-gate-up.wgsl?raw';
import expertRows from '../../../shaders/lib/expert-rows.wgsl?raw';
import expertStaged from '../../../shaders/lib/expert-staged.wgsl?raw';
import gateGroupsGroup from '../../../shaders/lib/gate-groups-group.wgsl?raw';
import heads1 from '../../../shaders/lib/heads-1.wgsl?raw';
import heads4 from '../../../shaders/lib/heads-4.wgsl?raw';
import reduce4Subgroup from '../../../shaders/lib/reduce4-subgroup.wgsl?raw';
import reduce4Workgroup from '../../../shaders/lib/reduce4-workgroup.wgsl?raw';
import rows1 from '../../../shaders/lib/rows-1.wgsl?raw';
import rows1Subgroup from '../../../shaders/lib/rows-1-subgroup.wgsl?raw';
import rows4 from '../../../shaders/lib/rows-4.wgsl?raw';
import rows4Subgroup from '../../../shaders/lib/rows-4-subgroup.wgsl?raw';
import teamSubgroup from '../../../shaders/lib/team-subgroup.wgsl?raw';
import teamWorkgroup from '../../../shaders/lib/team-workgroup.wgsl?raw';
import unit1 from '../../../shaders/lib/unit-1.wgsl?raw';
import unit2 from '../../../shaders/lib/unit-2.wgsl?raw';
import unit4 from '../../../shaders/lib/unit-4.wgsl?raw';
import unit8 from '../../../shaders/lib/unit-8.wgsl?raw';
import linear from '../../../shaders/linear/linear.wgsl?raw';
import linearTiled from '../../../shaders/linear/linear-tiled.wgsl?raw';
import gateGroup from '../../../shaders/routing/gate-group.wgsl?raw';

export const texts = {
  'attention/attention': attention,
  'attention/attention-combine': attentionCombine,
  'attention/attention-tiled': attentionTiled,
  'experts/expert-down': expertDown,
  'experts/expert-down-pairs': expertDownPairs,
  'experts/expert-gate-up': expertGateUp,
  'lib/expert-rows': expertRows,
  'lib/expert-staged': expertStaged,
  'lib/gate-groups-group': gateGroupsGroup,
  'lib/heads-1': heads1,
  'lib/heads-4': heads4,
  'lib/reduce4-subgroup': reduce4Subgroup,
  'lib/reduce4-workgroup': reduce4Workgroup,
  'lib/rows-1': rows1,
  'lib/rows-1-subgroup': rows1Subgroup,
  'lib/rows-4': rows4,
  'lib/rows-4-subgroup': rows4Subgroup,
  'lib/team-subgroup': teamSubgroup,
  'lib/team-workgroup': teamWorkgroup,
  'lib/unit-1': unit1,
  'lib/unit-2': unit2,
  'lib/unit-4': unit4,
  'lib/unit-8': unit8,
  'linear/linear': linear,
  'linear/linear-tiled': linearTiled,
  'routing/gate-group': gateGroup,
};
