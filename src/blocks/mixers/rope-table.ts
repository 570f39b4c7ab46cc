import type { Weight } from '../../graph/tensor.ts';
import { ropeAngles } from '../../kernels/attention/rope-angles.ts';
import type { RopeSpec } from '../../models/spec.ts';
import type { Site } from '../site.ts';

/** The table of rotary angles [positions, rotaryDim], shared by all layers with equal parameters. */
export function ropeTable({ builder, purpose }: Site, rope: RopeSpec): Weight {
  const { theta, rotaryDim, scaling } = rope;
  // Not read, but a binding is never empty.
  if (rotaryDim === 0) return builder.computed('no rotation', 1, 2, () => new Float32Array(2));
  const positions = purpose.contextTokens;
  return builder.computed(ropeName(rope), positions, rotaryDim, () =>
    ropeAngles({ theta, rotaryDim, scaling, positions }),
  );
}

/** A name that includes all parameters of the angles, since weights with the same name are shared. */
function ropeName({
  theta,
  rotaryDim,
  scaling = {},
}: Pick<RopeSpec, 'theta' | 'rotaryDim'> & { readonly scaling?: object }): string {
  const rules = Object.entries(scaling).sort(([a], [b]) => (a < b ? -1 : 1));
  return ['rope', theta, rotaryDim, ...rules.map(([key, value]) => `${key}=${value}`)].join(' ');
}
