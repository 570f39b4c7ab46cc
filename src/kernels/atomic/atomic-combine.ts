import source from '../../../shaders/atomic/atomic-combine.wgsl?raw';
import { atomicRowsPart, fetch4Part, unitSumsPart } from './atomic-parts.ts';
import { constants, featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude, type Scalar } from '../common.ts';
import { poolParts, withPools, type PoolCount } from '../experts/expert-pool.ts';
import { cross, defineKernel } from '../kernel.ts';
import {
  assertWholeUnits,
  listFormats,
  renderFor,
  unitVec4s,
  unitWeights,
  weightsParts,
} from '../weights.ts';
import type { FormatName } from '../../weights/formats/index.ts';

/** Problem size, which determines the grid; y is [tokens, hidden]. */
export interface AtomicCombineSize {
  readonly tokens: number;
  readonly hidden: number;
}

/** `slices`: the pairs of one token over many lanes; `tokens`: many tokens per workgroup; `quad`: for software adapters. */
export type AtomicCombineForm = 'slices' | 'tokens' | 'quad';

/** A variant of the kernel: types, weight format, pools, and the distribution of work over lanes. */
export type AtomicCombineVariant = {
  readonly scalar: Scalar; // of y
  readonly format: FormatName;
  readonly pools: PoolCount;
  readonly form: AtomicCombineForm;
  readonly subgroups: boolean;
};

const OWN = { neurons: 'read', ids: 'read', weights: 'read', y: 'write' } as const;
const FORMS = [
  { form: 'slices', subgroups: false },
  { form: 'tokens', subgroups: false },
  { form: 'quad', subgroups: true },
] as const;
const WG = 64;
const COLUMN_VEC4S = 16; // of a workgroup's block; 64 columns

function tile({ form, format }: AtomicCombineVariant) {
  if (form === 'quad') return { wg: 4, cols: 4, slices: 1, teams: 1 };
  const cols = COLUMN_VEC4S / unitVec4s(format);
  const rest = WG / cols;
  return form === 'slices'
    ? { wg: WG, cols, slices: rest, teams: 1 }
    : { wg: WG, cols, slices: 1, teams: rest };
}

const VARIANTS: readonly AtomicCombineVariant[] = listFormats(
  FORMS.map((form) => cross({ scalar: SCALARS, pools: [1, 4] }).map((given) => ({ ...given, ...form }))),
);

/**
 * Second half of one-neuron experts: y[t, :] = sum over ranks of weight * activation * output vector, in rank order.
 *
 * neurons [tokens, top_k, (activation, slot)], ids and weights [tokens, top_k] -> y [tokens, hidden]
 */
export const atomicCombine = defineKernel({
  name: 'atomic-combine',
  bindings: { ...OWN, pool0: 'read' },
  bindingsOf: ({ pools }) => withPools(OWN, pools),
  params: {
    tokens: 'u32',
    hidden: 'u32',
    top_k: 'u32',
    page_experts: 'u32',
    slot_vec4: 'u32',
    out_base: 'u32',
    out_scales: 'u32',
  },
  variants: VARIANTS,
  parts: (variant) => {
    const { scalar, format, pools, form, subgroups } = variant;
    const { wg, cols, slices, teams } = tile(variant);
    const SCRATCH = slices > 1 ? wg * unitVec4s(format) : 1;
    return [
      scalarPrelude(scalar, subgroups),
      constants({ COLS: cols, SLICES: slices, TEAMS: teams, SCRATCH }),
      gridPart,
      ...weightsParts(format, form === 'quad'),
      unitSumsPart(format, 'add'),
      ...poolParts(OWN, pools),
      atomicRowsPart(format),
      fetch4Part(form === 'quad'),
      renderFor(format, { name: 'atomic/atomic-combine.wgsl', text: source }),
    ];
  },
  overrides: (variant) => ({ WG: tile(variant).wg }),
  features: featuresOf,
  key: ({ scalar, format, pools, form }) => `atomic-combine/${scalar}/${format}/pools${pools}/${form}`,
  grid: ({ tokens, hidden }: AtomicCombineSize, variant) => {
    assertWholeUnits(variant.format, hidden);
    const { cols, teams } = tile(variant);
    const blocks = Math.ceil(hidden / unitWeights(variant.format) / cols);
    return foldGrid(blocks * Math.ceil(tokens / teams));
  },
});
