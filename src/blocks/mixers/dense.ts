import type { DenseSpec } from '../../models/spec.ts';
import type { Mixer } from '../block.ts';
import { checkQuads } from '../check-sizes.ts';
import { gatedMlp } from '../mlp.ts';

/** The dense gated MLP of a layer without routed experts. */
export const dense: Mixer<DenseSpec> = {
  kind: 'dense',
  check: ({ width }, label) => checkQuads(label, 'intermediate size', width),
  add: (site, x, spec) => gatedMlp(site.at(`${site.label} mlp`), x, spec),
};
