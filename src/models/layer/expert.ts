/** The grammar of experts (section 8 of the format). */
import {
  boolean,
  choice,
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
import { activation } from './router.ts';
import { numberOrTensor, tensor } from './tensor-reference.ts';

/** A norm over the hidden state. */
export const norm = record({
  kind: choice('rms', 'layer'),
  weight: tensor,
  bias: optional(tensor),
  epsilon: optional(number({ above: 0 }), 1e-6),
});

/** A norm. */
export type NormDescription = Read<typeof norm>;

/** Rotary positions of queries and keys. */
export const rotary = record({
  base: optional(number({ above: 0 }), 10_000),
  dimensions: optional(integer(2)),
  style: optional(choice('half', 'interleaved'), 'half'),
});

/** Rotary positions. */
export type RotaryDescription = Read<typeof rotary>;

const bits = record({ levels: list(integer(1, 8), 1), weight: tensor });

const common = {
  before: optional(norm),
  after: optional(norm),
  alias: optional(list(integer())),
  bits: optional(bits),
};

/** Kinds that may be any member of `each`. */
const members = {
  gated: {
    gate: tensor,
    up: tensor,
    down: tensor,
    activation: optional(activation, 'silu'),
    gateBias: optional(tensor),
    upBias: optional(tensor),
    downBias: optional(tensor),
    scale: optional(tensor),
  },
  plain: {
    up: tensor,
    down: tensor,
    upBias: optional(tensor),
    downBias: optional(tensor),
    activation: optional(activation, 'silu'),
    scale: optional(tensor),
  },
  neuron: { input: tensor, output: tensor, activation: optional(activation, 'silu') },
  linear: { weight: tensor, bias: optional(tensor) },
  lora: {
    a: tensor,
    b: tensor,
    scaling: optional(numberOrTensor, 1),
    base: optional(record({ weight: tensor, bias: optional(tensor) })),
    onlyWhere: optional(text),
  },
  latent: { gateIn: tensor, upIn: tensor, gate: tensor, up: tensor, down: tensor, out: tensor },
  film: {
    up: tensor,
    upBias: optional(tensor),
    down: tensor,
    downBias: optional(tensor),
    gamma: tensor,
    beta: tensor,
    activation: optional(activation, 'relu'),
  },
  selfActivated: {
    down: tensor,
    up: tensor,
    value: tensor,
    out: tensor,
    activation: optional(activation, 'silu'),
  },
  attention: {
    query: tensor,
    key: tensor,
    value: tensor,
    output: tensor,
    headSize: integer(1),
    causal: optional(boolean, true),
    scale: optional(number()),
    rotary: optional(rotary),
  },
};

const member = kinds({ ...members, skip: {}, identity: {}, constant: { value: tensor } }, common);

/** One expert of a layer whose experts differ in kind. */
export type MemberDescription = Read<typeof member>;

/** Reads the experts of a layer. */
export const expert = kinds(
  {
    ...members,
    compressed: { main: integer(1), theta: tensor, of: later((): Field<MemberDescription> => member) },
    each: { experts: list(member, 1) },
  },
  common,
);

/** What the experts of a layer compute. */
export type ExpertDescription = Read<typeof expert>;

const gate = kinds({ sigmoid: { weight: tensor }, oneMinusLargestAffinity: {} });

/** Reads the experts that always run. */
export const shared = list(record({ expert: member, gate: optional(gate), weight: optional(number(), 1) }));

/** An expert that always runs. */
export type SharedDescription = Read<typeof shared>[number];
