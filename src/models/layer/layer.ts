/** The grammar of a layer and of its patterns (sections 1, 7 and 10 of the format, version 1). */
import type { AtomoeError } from '../../errors.ts';
import {
  boolean,
  choice,
  collectProblems,
  integer,
  kinds,
  later,
  list,
  number,
  optional,
  record,
  text,
  type Field,
  type Read,
} from './fields.ts';
import { checkLayer } from './check.ts';
import { expert, norm, rotary, shared } from './expert.ts';
import { perceptron, router } from './router.ts';
import { tensor, type TensorReference } from './tensor-reference.ts';

const routed = {
  experts: optional(integer(1)),
  most: optional(integer(1)),
  router: optional(router),
  expert: optional(expert),
  shared: optional(shared, []),
};

/** Reads a layer within a pattern. */
const inner = record({
  ...routed,
  pattern: optional(
    later((): Field<PatternDescription> => pattern),
    { kind: 'single' },
  ),
});

/** A layer within a pattern: its own experts and router. */
export type InnerLayer = Read<typeof routedLayer> & { readonly pattern: PatternDescription };

const routedLayer = record(routed);

const innerLayer = inner as Field<InnerLayer>;

const attention = {
  query: tensor,
  key: tensor,
  value: tensor,
  output: tensor,
  headSize: integer(1),
  rotary: optional(rotary),
};

const pattern = kinds({
  single: {},
  chain: { iterations: integer(1), residual: optional(boolean, true) },
  sequence: {
    steps: list(
      record({ layer: later(() => innerLayer), norm: optional(norm), residual: optional(boolean, true) }),
      1,
    ),
  },
  parallel: {
    layers: list(
      later(() => innerLayer),
      1,
    ),
  },
  blend: {
    layers: list(
      later(() => innerLayer),
      1,
    ),
    gate: tensor,
    gateBias: optional(tensor),
  },
  repeat: {
    decide: record({ layers: perceptron, windows: optional(integer(1), 8) }),
    norm: optional(norm),
    sees: choice('prompt'),
    layer: optional(later(() => innerLayer)),
  },
  softMix: { slots: tensor, perExpert: integer(1), sees: choice('sequence') },
  mergeWeights: {},
  heads: {
    ...attention,
    sharedHeads: optional(integer(), 0),
    causal: optional(boolean, true),
    gates: optional(record({ shared: tensor, balance: tensor })),
    scale: optional(number()),
  },
  sparseAttention: attention,
}) as Field<PatternDescription>;

/** How layers, or runs of one layer, are put together. */
export type PatternDescription =
  | { readonly kind: 'single' | 'mergeWeights' }
  | { readonly kind: 'chain'; readonly iterations: number; readonly residual: boolean }
  | {
      readonly kind: 'sequence';
      readonly steps: readonly {
        readonly layer: InnerLayer;
        readonly norm?: Read<typeof norm>;
        readonly residual: boolean;
      }[];
    }
  | { readonly kind: 'parallel'; readonly layers: readonly InnerLayer[] }
  | {
      readonly kind: 'blend';
      readonly layers: readonly InnerLayer[];
      readonly gate: TensorReference;
      readonly gateBias?: TensorReference;
    }
  | {
      readonly kind: 'repeat';
      readonly decide: { readonly layers: Read<typeof perceptron>; readonly windows: number };
      readonly norm?: Read<typeof norm>;
      readonly sees: 'prompt';
    }
  | {
      readonly kind: 'softMix';
      readonly slots: TensorReference;
      readonly perExpert: number;
      readonly sees: 'sequence';
    }
  | ({
      readonly kind: 'heads';
      readonly sharedHeads: number;
      readonly causal: boolean;
      readonly gates?: { readonly shared: TensorReference; readonly balance: TensorReference };
      readonly scale?: number;
    } & HeadTensors)
  | ({ readonly kind: 'sparseAttention' } & HeadTensors);

/** The matrices of attention heads. */
export interface HeadTensors {
  readonly query: TensorReference;
  readonly key: TensorReference;
  readonly value: TensorReference;
  readonly output: TensorReference;
  readonly headSize: number;
  readonly rotary?: Read<typeof rotary>;
}

/** Reads the hooks of a request. */
export const hooks = record({
  bias: optional(text), // a tensor [experts] of the request
  steer: optional(
    record({
      experts: list(integer(), 1),
      mode: optional(choice('soft', 'hard'), 'soft'),
      strength: optional(number()),
      deviation: optional(choice('sample', 'population'), 'sample'),
      epsilon: optional(number(), 1e-3),
    }),
  ),
  mask: optional(list(integer())),
  ranks: optional(list(integer(), 1)),
  replay: optional(record({ ids: text, weights: optional(text, 'recompute') })),
});

/** What a request changes in a router. */
export type HooksDescription = Read<typeof hooks>;

const layer = record({
  ...routed,
  format: choice('atomoe.layer'),
  version: integer(1, 1),
  paper: optional(list(integer())),
  title: optional(text),
  provenance: optional(choice('code', 'paper', 'thirdParty', 'memory', 'abstract', 'composed')),
  hiddenSize: integer(1),
  pattern: optional(pattern, { kind: 'single' }),
  hooks: optional(hooks),
});

/** One Mixture-of-Experts layer as data: `spec/routing-file.md`, version 1. Absent keys have their defaults. */
export type LayerDescription = Read<typeof layer>;

/**
 * Reads the description of a layer, and checks what its keys say of each other.
 *
 * @param value - parsed JSON
 * @throws {AtomoeError} bad-input - with the JSON path of what is wrong
 */
export function parseLayer(value: unknown): LayerDescription {
  const read = layer.read(value, '');
  checkLayer(read);
  return read;
}

/**
 * All that is wrong with the keys of a description, each with its path.
 *
 * @param value - parsed JSON
 */
export function problemsOfKeys(value: unknown): readonly AtomoeError[] {
  return collectProblems(() => layer.read(value, ''));
}
