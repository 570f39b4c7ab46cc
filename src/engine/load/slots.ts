/** How many expert slots a memory budget pays for, and what they are for. */
import type { ExpertPlan } from '../../experts/expert-plan.ts';
import { mostSlots, planPools, type PoolPlan } from '../../experts/pools.ts';
import type { StreamingOptions } from '../api.ts';

/** Slots in GPU memory. */
export interface SlotPlan {
  readonly streams: boolean; // some experts come when they are needed
  readonly places: number; // a layer
  readonly reserved: number; // for guesses, a group of layers
  readonly scratch: number; // for prompts, all layers in turn
  readonly sizeBytes: number; // with the tables
}

/** What decides how many slots a model needs at least and can use at most. */
export interface SlotNeeds {
  readonly experts: ExpertPlan;
  readonly topK: number;
  readonly canSplit: boolean; // prompts may run through the scratch slots in waves
  readonly maxBindingBytes: number;
}

/** Guesses for two layers at a time. */
const RESERVED_PER_TOP_K = 2;

/** The share of the slots that prompts get; the rest is worth more to single tokens. */
const SCRATCH_SHARE = 0.1;

/** Units of one token at most. */
export function mostUnits({ experts, topK }: Pick<SlotNeeds, 'experts' | 'topK'>): number {
  return Math.min(topK, experts.unitsPerLayer);
}

/** Whether a layer's kernels can reach all its experts at once. */
export function canHoldAll({ experts, maxBindingBytes }: SlotNeeds): boolean {
  return experts.unitsPerLayer <= mostSlots(experts, maxBindingBytes);
}

/** Every expert in GPU memory. `start: 'now'` fills the slots as experts are needed. */
export function allSlots(needs: SlotNeeds, { start = 'whole' }: StreamingOptions = {}): SlotPlan {
  const { unitsPerLayer } = needs.experts;
  return sized(needs, { streams: start === 'now', places: unitsPerLayer, reserved: 0, scratch: 0 });
}

/** A given number of places a layer, with the reserved and scratch slots that belong to it. */
export function slotsFor(
  needs: SlotNeeds,
  places: number,
  { lookahead = 1 }: StreamingOptions = {},
): SlotPlan {
  const { experts, canSplit } = needs;
  const { unitsPerLayer, layers } = experts;
  const most = mostUnits(needs);
  const reachable = mostSlots(experts, needs.maxBindingBytes);
  const reserved =
    lookahead > 0 ? Math.min(RESERVED_PER_TOP_K * most, unitsPerLayer - places, reachable - places) : 0;
  const share = Math.max(2 * most, Math.floor(SCRATCH_SHARE * places * layers));
  const scratch = canSplit ? Math.min(unitsPerLayer, share, reachable) : unitsPerLayer;
  return sized(needs, { streams: true, places, reserved, scratch });
}

/** As few slots as work: one token's experts, one lot of them for prompts, and none for guesses. */
export function fewestSlots(needs: SlotNeeds): SlotPlan {
  // None where the device cannot bind a token's experts: what it lacks is said by the plan.
  const places = Math.min(mostUnits(needs), mostSlots(needs.experts, needs.maxBindingBytes));
  const scratch = needs.canSplit ? places : needs.experts.unitsPerLayer;
  return sized(needs, { streams: true, places, reserved: 0, scratch });
}

/**
 * The most places a layer that fit `roomBytes`, with the slots that belong to them if these fit too; undefined where not
 * even one token's experts do.
 */
export function slotsWithin(
  needs: SlotNeeds,
  roomBytes: number,
  options: StreamingOptions = {},
): SlotPlan | undefined {
  const least = mostUnits(needs);
  let fitting: SlotPlan | undefined;
  let low = least;
  let high = Math.min(needs.experts.unitsPerLayer - 1, mostSlots(needs.experts, needs.maxBindingBytes));
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const plan = slotsFor(needs, middle, options);
    if (plan.sizeBytes <= roomBytes) {
      fitting = plan;
      low = middle + 1;
    } else high = middle - 1;
  }
  if (fitting) return fitting;
  const fewest = fewestSlots(needs);
  return fewest.sizeBytes <= roomBytes ? fewest : undefined;
}

/** About half as many places, then as few slots as work; undefined where there are no more than that. */
export function fewerSlots(
  needs: SlotNeeds,
  { places, sizeBytes }: SlotPlan,
  options: StreamingOptions,
): SlotPlan | undefined {
  const least = mostUnits(needs);
  if (places > least) return slotsFor(needs, Math.max(least, Math.floor(places / 2)), options);
  const fewest = fewestSlots(needs);
  return fewest.sizeBytes < sizeBytes ? fewest : undefined;
}

function sized({ experts, maxBindingBytes }: SlotNeeds, plan: Omit<SlotPlan, 'sizeBytes'>): SlotPlan {
  const { layers, unitsPerLayer, recordBytes } = experts;
  const tableBytes = 4 * layers * unitsPerLayer;
  const pools = (count: PoolPlan) => count.poolSlots.reduce((sum, slots) => sum + slots, 0) * recordBytes;
  const main = planPools(experts, maxBindingBytes, plan);
  const forPrompts =
    plan.scratch > 0
      ? pools(planPools({ ...experts, layers: 1 }, maxBindingBytes, { places: plan.scratch, reserved: 0 })) +
        tableBytes
      : 0;
  return { ...plan, sizeBytes: pools(main) + tableBytes + forPrompts };
}
