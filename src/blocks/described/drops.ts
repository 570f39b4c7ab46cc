import { protectTokensNode } from '../../graph/ops/sequence-routing.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { RouteDrop } from '../../kernels/routing/route-rule.ts';
import type { Inputs } from './choice.ts';
import { refuse, type RoutingSite } from './routing-site.ts';
import type { DropDescription } from './stages.ts';
import type { Vectors } from './vectors.ts';

/** The filters of a described selection, in order. */
export function dropsOf(
  drops: readonly DropDescription[],
  site: RoutingSite,
  vectors: Vectors,
  inputs: Inputs,
): RouteDrop[] {
  return drops.map((drop, index) => {
    switch (drop.kind) {
      case 'belowThreshold': {
        const thresholds = vectors.numbers(drop.thresholds, `select.drop.${index}.thresholds`);
        const rule = { kind: 'belowThreshold', scale: drop.scale ?? 1, thresholds } as const;
        if (drop.by === undefined) return rule;
        const values = { kind: 'labels', count: drop.thresholds.length } as const;
        inputs.kinds = site.request(drop.by, { type: 'u32', perToken: 1, values });
        return { ...rule, by: 'kind' };
      }
      case 'belowRatio':
        if (!drop.protect) return { kind: 'belowRatio', ratio: drop.ratio };
        if (inputs.protection) refuse(`select.drop.${index}.protect`, 'a second protection');
        inputs.protection = protection(drop.protect, site);
        return { kind: 'belowRatio', ratio: drop.ratio, by: 'protection' };
      case 'mask':
        if (!site.verdicts) return refuse(`select.drop.${index}`, 'a mask network');
        inputs.verdicts = site.verdicts;
        return { kind: 'verdict', atLeast: drop.atLeast ?? 0 };
    }
  });
}

function protection(
  { name, top, bottom }: { readonly name: string; readonly top: number; readonly bottom: number },
  site: RoutingSite,
): Tensor {
  const { builder, label } = site;
  const values = site.request(name, { type: 'f32', perToken: 1 });
  const tokens = builder.tensor(`${label} protection`, { type: 'u32', perToken: 1 });
  const sequences = site.sequences?.();
  builder.add(
    protectTokensNode(`${label} protection`, { values, protection: tokens, sequences, top, bottom }),
  );
  return tokens;
}
