import {
  boolean,
  either,
  integer,
  later,
  list,
  number,
  optional,
  record,
  text,
  wrong,
  type Field,
} from './fields.ts';

/** Which values of a checkpoint make a tensor: a name, or a composition of others (section 9 of the format). */
export type TensorReference =
  | string
  | readonly TensorReference[] // concatenated along axis 0
  | {
      readonly tensor: TensorReference;
      readonly start: number;
      readonly count?: number; // default: all
      readonly step: number;
      readonly axis: number;
      readonly transpose: boolean;
    }
  | {
      readonly gather: TensorReference;
      readonly index: TensorReference;
      readonly transpose: boolean;
      readonly join: boolean;
      readonly axis: number;
    }
  | { readonly byExpert: readonly TensorReference[] }
  | { readonly scaled: TensorReference; readonly scale: TensorReference; readonly block: readonly number[] }
  | { readonly ternary: TensorReference; readonly scale: TensorReference }
  | {
      readonly planes: {
        readonly base: TensorReference;
        readonly zero: TensorReference;
        readonly scale: TensorReference;
        readonly signs: readonly TensorReference[];
        readonly scales: readonly TensorReference[];
      };
      readonly group: number;
    }
  | { readonly left: TensorReference; readonly right: TensorReference; readonly plus?: TensorReference };

/** Reads a tensor reference. */
export const tensor: Field<TensorReference> = either<TensorReference>((value) => {
  if (typeof value === 'string') return text;
  if (Array.isArray(value))
    return list(
      later(() => tensor),
      1,
    );
  const key = FORMS.find(([name]) => typeof value === 'object' && value !== null && name in value);
  return (
    key?.[1] ?? {
      read: (given, path) => wrong(path, given, 'the name of a tensor, or a composition of tensors'),
    }
  );
});

const other = later(() => tensor);

/** Each form by the key that tells it apart. */
const FORMS: readonly (readonly [string, Field<TensorReference>])[] = [
  [
    'tensor',
    record({
      tensor: other,
      start: optional(integer(), 0),
      count: optional(integer(1)),
      step: optional(integer(1), 1),
      axis: optional(integer(0, 2), 0),
      transpose: optional(boolean, false),
    }) as Field<TensorReference>,
  ],
  [
    'gather',
    record({
      gather: other,
      index: other,
      transpose: optional(boolean, false),
      join: optional(boolean, false),
      axis: optional(integer(0, 2), 0),
    }),
  ],
  ['byExpert', record({ byExpert: list(other, 1) })],
  ['scaled', record({ scaled: other, scale: other, block: list(integer(1), 2) })],
  ['ternary', record({ ternary: other, scale: other })],
  [
    'planes',
    record({
      planes: record({ base: other, zero: other, scale: other, signs: list(other), scales: list(other) }),
      group: integer(1),
    }) as Field<TensorReference>,
  ],
  ['left', record({ left: other, right: other, plus: optional(other) }) as Field<TensorReference>],
];

/** A number, or the tensor that holds it. */
export const numberOrTensor: Field<number | TensorReference> = either<number | TensorReference>((value) =>
  typeof value === 'number' ? number() : tensor,
);
