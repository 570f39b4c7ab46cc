import type { ConfigReader } from '../config.ts';

/** Keys of a rope section without effect on unscaled positions. */
const NEUTRAL = new Set([
  'rope_type',
  'type',
  'rope_theta',
  'partial_rotary_factor',
  'original_max_position_embeddings',
  'max_position_embeddings',
]);

/**
 * The base of the rotary angles: `rope_theta`, or in `rope_parameters` (transformers 5) or `rope_scaling` (4). All that
 * are present must agree and require unscaled rotary positions over whole heads.
 */
export function readTheta(config: ConfigReader): number {
  const sections = ['rope_parameters', 'rope_scaling'].map((key) => config.section(key));
  const thetas = new Set<number>();
  for (const section of [...sections, config]) {
    if (section !== config) checkPlain(section);
    const factor = section.number(['partial_rotary_factor'], 1);
    if (factor !== 1) section.unsupported(`partial_rotary_factor ${factor}`, 'whole heads rotated');
    if (section.has('rope_theta')) thetas.add(section.positive(['rope_theta']));
  }
  const [first, other] = thetas;
  if (first !== undefined && other !== undefined) {
    throw config.contradiction({ key: 'rope_theta', value: first }, { key: 'another', value: other });
  }
  return first ?? config.positive(['rope_theta']);
}

function checkPlain(section: ConfigReader): void {
  const kind = section.text(['rope_type', 'type'], 'default');
  if (kind !== 'default') section.unsupported(`rope scaling "${kind}"`, 'default rotary positions');
  const unknown = section.keys().find((key) => !NEUTRAL.has(key));
  if (unknown !== undefined) section.unsupported(`rope scaling by ${unknown}`, 'default rotary positions');
}
