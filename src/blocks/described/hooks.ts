import type { RouteChoice, RouteStep } from '../../kernels/routing/route-rule.ts';
import { idsOf, type Inputs } from './choice.ts';
import type { RoutingSite } from './routing-site.ts';
import type { HooksDescription } from './stages.ts';
import type { Vectors } from './vectors.ts';

/** The steps that hooks add before the first activation. */
export function hookSteps(
  { bias, steer, mask }: HooksDescription,
  { experts }: RoutingSite,
  vectors: Vectors,
): RouteStep[] {
  const steps: RouteStep[] = [];
  if (bias !== undefined) steps.push({ kind: 'add', by: vectors.request(bias) });
  if (steer) {
    const { mode, strength = 1, epsilon = 1e-3, deviation = 'sample' } = steer;
    const by = vectors.numbers(at(experts, steer.experts, mode === 'soft' ? strength : 1, 0), 'hooks.steer');
    steps.push(
      mode === 'soft' ? { kind: 'steer', mode, by, deviation } : { kind: 'steer', mode, by, epsilon },
    );
  }
  if (mask) steps.push({ kind: 'mask', by: vectors.numbers(at(experts, mask, 0, 1), 'hooks.mask', 1) });
  return steps;
}

/** The choice that hooks put in place of the router's, if any. */
export function hookedChoice(
  { mask, ranks, replay }: HooksDescription,
  site: RoutingSite,
  vectors: Vectors,
  inputs: Inputs,
): RouteChoice | undefined {
  if (ranks) return { kind: 'ranks', count: ranks.length, ranks: vectors.numbers(ranks, 'hooks.ranks') };
  if (!replay) return undefined;
  inputs.givenIds = site.request(replay.ids, idsOf(site, mask));
  return { kind: 'given', places: site.most };
}

/** A row with one value for the listed experts, and another for the others. */
function at(experts: number, listed: readonly number[], value: number, other: number): number[] {
  return Array.from({ length: experts }, (_, e) => (listed.includes(e) ? value : other));
}
