import { layerNormNode, rmsNormNode } from '../graph/ops/norm.ts';
import type { Tensor, Weight } from '../graph/tensor.ts';
import type { NormSpec } from '../models/spec.ts';
import type { Site } from './site.ts';

/** Adds the norm of x [rows, hidden], written to y, as a node named after the site. @param gain - default: that of its name */
export function addNorm(site: Site, x: Tensor, norm: NormSpec, y: Tensor, gain?: Weight): void {
  const { builder, label, hidden, eps } = site;
  if (typeof norm === 'string') {
    builder.add(rmsNormNode(label, { x, gain: gain ?? site.gain(norm, hidden), y, eps }));
  } else {
    const vector = (name: string) => builder.exact(name, 1, hidden, name);
    const { gain, shift } = norm;
    builder.add(layerNormNode(label, { x, gain: vector(gain), shift: vector(shift), y, eps }));
  }
}

/** The norm of x [tokens, hidden], in a tensor and a node named after the site. */
export function normOf(site: Site, x: Tensor, norm: NormSpec): Tensor {
  const y = site.builder.tensor(`${site.label} normed`, { perToken: site.hidden });
  addNorm(site, x, norm, y);
  return y;
}

/** The root-mean-square norm of a branch [tokens, hidden] of the stream, as f32 like the branch. */
export function postNormOf(site: Site, branch: Tensor, gain: string | undefined): Tensor {
  if (gain === undefined) return branch;
  const y = site.stream(`${site.label} post`);
  addNorm(site.at(`${site.label} post`), branch, gain, y);
  return y;
}
