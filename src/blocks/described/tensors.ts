/** The tensors of a described layer: what its references mean (section 9 of the format). */
import { AtomoeError } from '../../errors.ts';
import type { TensorReference } from '../../models/layer/tensor-reference.ts';

/** Values in row-major order. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
  readonly ternary?: TernaryParts | undefined; // what the values are made of, when they are asked for
}

/** Codes of -1, 0 and 1 as they were stored, and a scale for each expert. */
export interface TernaryParts {
  readonly codes: Float32Array<ArrayBuffer>;
  readonly scales: Float32Array<ArrayBuffer>;
}

/** What the braces in a name stand for, and the level of tensors in bit planes. */
export interface ReferenceScope {
  readonly experts?: number | undefined;
  readonly iteration?: number | undefined;
  readonly layer?: number | undefined; // of the model; default 0
  readonly level?: number | undefined; // bits; default: all planes
}

/** Throws an error that says `what` is wrong, if it is. */
type Fits = (isRight: boolean, what: () => string) => void;

/** The tensors of a file by name, and what references make of them. */
export class LayerTensors {
  readonly #named: ReadonlyMap<string, HostTensor>;
  readonly #label: string;

  constructor(label: string, named: ReadonlyMap<string, HostTensor>) {
    this.#label = label;
    this.#named = named;
  }

  /** @throws {AtomoeError} bad-file - a tensor is missing, or shapes do not fit */
  get(reference: TensorReference, scope: ReferenceScope = {}): HostTensor {
    if (typeof reference === 'string') return this.#byName(reference, scope);
    const get = (other: TensorReference) => this.get(other, scope);
    const fits: Fits = (isRight, what) => {
      if (isRight) return;
      throw new AtomoeError(
        'bad-file',
        `${this.#label}: ${JSON.stringify(reference)}: ${what()}; write the file again`,
      );
    };
    if (isList(reference)) return joined(reference.map(get), fits);
    if ('tensor' in reference) return part(get(reference.tensor), reference, fits);
    if ('gather' in reference) return gathered(get(reference.gather), get(reference.index), reference, fits);
    if ('byExpert' in reference) return joined(reference.byExpert.map(get), fits);
    if ('scaled' in reference) {
      return scaled(get(reference.scaled), get(reference.scale), reference.block, fits);
    }
    if ('ternary' in reference) return ternary(get(reference.ternary), get(reference.scale), fits);
    if ('planes' in reference) return this.#planes(reference, scope, fits);
    const { left, right, plus } = reference;
    return product(get(left), get(right), plus === undefined ? undefined : get(plus), fits);
  }

  /** The planes of a level, or all. */
  #planes(
    { planes: own, group }: Extract<TensorReference, { readonly planes: object }>,
    scope: ReferenceScope,
    fits: Fits,
  ): HostTensor {
    const { signs, scales } = own;
    const count = scope.level === undefined ? signs.length : scope.level - BASE_BITS;
    fits(signs.length === scales.length, () => `${signs.length} signs, but ${scales.length} scales`);
    fits(
      count >= 0 && count <= signs.length,
      () => `no level of ${scope.level} bits; there are ${BASE_BITS} to ${BASE_BITS + signs.length}`,
    );
    const get = (other: TensorReference) => this.get(other, scope);
    const residues = scales.slice(0, count).map((scale, index) => {
      const sign = signs[index] ?? scale;
      return { sign: get(sign), scale: get(scale) };
    });
    return planes({ base: get(own.base), zero: get(own.zero), scale: get(own.scale), residues }, group, fits);
  }

  #byName(name: string, { experts = 0, iteration = 0, layer = 0 }: ReferenceScope): HostTensor {
    const own = name.replaceAll('{iteration}', String(iteration)).replaceAll('{layer}', String(layer));
    if (!own.includes('{expert}')) return this.#find(own);
    return stacked(
      Array.from({ length: experts }, (_, e) => this.#find(own.replaceAll('{expert}', String(e)))),
    );
  }

  #find(name: string): HostTensor {
    const found = this.#named.get(name);
    if (found) return found;
    throw new AtomoeError(
      'bad-file',
      `${this.#label}: tensor "${name}" is missing; the description names it; write the file again`,
    );
  }
}

function isList(reference: TensorReference): reference is readonly TensorReference[] {
  return Array.isArray(reference);
}

/** The bits of the first plane of nested ones. */
const BASE_BITS = 2;

/** Indices of one axis. */
function part(
  { shape, values }: HostTensor,
  { start, count, step, axis, transpose }: Extract<TensorReference, { readonly start: number }>,
  fits: Fits,
): HostTensor {
  fits(axis < shape.length, () => `axis ${axis} of a tensor [${shape.join(', ')}]`);
  const size = shape[axis] ?? 0;
  const all = count ?? Math.ceil((size - start) / step);
  fits(
    all > 0 && start + step * (all - 1) < size,
    () => `${all} indices from ${start} in steps of ${step} of an axis of ${size}`,
  );
  const indices = Array.from({ length: all }, (_, index) => start + step * index);
  const taken = { shape: shape.with(axis, all), values: takeAxis(values, shape, axis, indices) };
  if (!transpose) return taken;
  fits(shape.length > 1, () => `a tensor [${shape.join(', ')}] has no two axes to exchange`);
  return transposed(taken);
}

const isShape = (found: readonly number[], wanted: readonly number[]) =>
  found.length === wanted.length && found.every((size, axis) => size === wanted[axis]);

/** What a tensor's shape is, and what it should be. */
const misfit = (name: string, { shape }: HostTensor, wanted: readonly number[]) =>
  `${name} is [${shape.join(', ')}], wanted [${wanted.join(', ')}]`;

/** Tensors of equal rows one behind the other. */
function joined(tensors: readonly HostTensor[], fits: Fits): HostTensor {
  const rest = tensors[0]?.shape.slice(1) ?? [];
  for (const [index, tensor] of tensors.entries()) {
    const wanted = [tensor.shape[0] ?? 0, ...rest];
    fits(isShape(tensor.shape, wanted), () => misfit(`entry ${index}`, tensor, wanted));
  }
  return concatenated(tensors);
}

const sizeOf = (shape: readonly number[]) => shape.reduce((size, axis) => size * axis, 1);

/** Tensors one behind the other along the first axis. */
export function concatenated(tensors: readonly HostTensor[]): HostTensor {
  const [first] = tensors;
  const rows = tensors.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const values = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.values.length, 0));
  let at = 0;
  for (const tensor of tensors) {
    values.set(tensor.values, at);
    at += tensor.values.length;
  }
  return { shape: [rows, ...(first?.shape.slice(1) ?? [])], values };
}

/** Tensors as the rows of one more axis, filled with zeros to the largest size of each axis. */
function stacked(tensors: readonly HostTensor[]): HostTensor {
  const rank = tensors[0]?.shape.length ?? 0;
  const largest = Array.from({ length: rank }, (_, axis) =>
    Math.max(...tensors.map(({ shape }) => shape[axis] ?? 0)),
  );
  const each = sizeOf(largest);
  const values = new Float32Array(each * tensors.length);
  for (const [index, { shape, values: own }] of tensors.entries()) {
    const cols = shape.at(-1) ?? 1;
    const width = largest.at(-1) ?? 1;
    for (let row = 0; row < own.length / cols; row += 1) {
      values.set(own.subarray(row * cols, (row + 1) * cols), index * each + row * width);
    }
  }
  return { shape: [tensors.length, ...largest], values };
}

function takeAxis(
  values: Float32Array,
  shape: readonly number[],
  axis: number,
  indices: readonly number[],
): Float32Array<ArrayBuffer> {
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const size = shape[axis] ?? 1;
  const taken = new Float32Array(outer * indices.length * inner);
  for (let o = 0; o < outer; o += 1) {
    for (const [place, index] of indices.entries()) {
      const from = (o * size + index) * inner;
      taken.set(values.subarray(from, from + inner), (o * indices.length + place) * inner);
    }
  }
  return taken;
}

/** The last two axes exchanged. */
export function transposed({ shape, values }: HostTensor): HostTensor {
  const [cols = 1, rows = 1] = [shape.at(-1), shape.at(-2)];
  const matrices = values.length / (rows * cols);
  const turned = new Float32Array(values.length);
  for (let m = 0; m < matrices; m += 1) {
    for (let r = 0; r < rows; r += 1) {
      for (let c = 0; c < cols; c += 1) {
        turned[(m * cols + c) * rows + r] = values[(m * rows + r) * cols + c] ?? 0;
      }
    }
  }
  return { shape: [...shape.slice(0, -2), cols, rows], values: turned };
}

function gathered(
  from: HostTensor,
  index: HostTensor,
  { transpose, join, axis }: { readonly transpose: boolean; readonly join: boolean; readonly axis: number },
  fits: Fits,
): HostTensor {
  const [experts = 1, pieces = 1] = index.shape;
  const [count = 0] = from.shape;
  fits(index.shape.length === 2, () => `index is [${index.shape.join(', ')}], wanted [experts, indices]`);
  const wrong = index.values.find((at) => !Number.isInteger(at) || at < 0 || at >= count);
  fits(wrong === undefined, () => `index ${wrong}; wanted integers from 0 to ${count - 1}`);
  fits(!join || from.shape.length === 3, () => `pieces are [${from.shape.join(', ')}], wanted three axes`);
  fits(!join || axis < 2, () => `pieces joined along axis ${axis}, wanted 0 or 1`);
  const values = takeAxis(from.values, from.shape, 0, [...index.values]);
  const gatheredShape = [experts, pieces, ...from.shape.slice(1)];
  if (!join) {
    const tensor = { shape: gatheredShape, values };
    return transpose ? transposed(tensor) : tensor;
  }
  const [rows = 1, cols = 1] = from.shape.slice(1);
  if (axis === 0) return { shape: [experts, pieces * rows, cols], values };
  // [experts, pieces, rows, cols] -> [experts, rows, pieces * cols]
  const wide = new Float32Array(values.length);
  for (let at = 0; at < values.length; at += 1) {
    const c = at % cols;
    const r = Math.floor(at / cols) % rows;
    const p = Math.floor(at / (cols * rows)) % pieces;
    const e = Math.floor(at / (cols * rows * pieces));
    wide[(e * rows + r) * pieces * cols + p * cols + c] = values[at] ?? 0;
  }
  return { shape: [experts, rows, pieces * cols], values: wide };
}

/** One scale for each block [r, c] of each matrix. */
function scaled(
  codes: HostTensor,
  scale: HostTensor,
  [rows = 1, cols = 1]: readonly number[],
  fits: Fits,
): HostTensor {
  const [outs = 1, ins = 1] = codes.shape.slice(-2);
  const perRow = Math.ceil(ins / cols);
  const wanted = [...codes.shape.slice(0, -2), Math.ceil(outs / rows), perRow];
  fits(isShape(scale.shape, wanted), () => misfit('scale', scale, wanted));
  const perMatrix = Math.ceil(outs / rows) * perRow;
  const values = codes.values.map((code, at) => {
    const c = at % ins;
    const r = Math.floor(at / ins) % outs;
    const matrix = Math.floor(at / (ins * outs));
    const block = matrix * perMatrix + Math.floor(r / rows) * perRow + Math.floor(c / cols);
    return code * (scale.values[block] ?? 0);
  });
  return { shape: codes.shape, values };
}

/** Codes of -1, 0 and 1, times one scale for each expert. */
function ternary(codes: HostTensor, scale: HostTensor, fits: Fits): HostTensor {
  const wanted = codes.shape.slice(0, 1);
  fits(isShape(scale.shape, wanted), () => misfit('scale', scale, wanted));
  const wrong = codes.values.find((code) => code !== -1 && code !== 0 && code !== 1);
  fits(wrong === undefined, () => `code ${wrong}; wanted -1, 0 or 1`);
  const each = codes.values.length / scale.values.length;
  return {
    shape: codes.shape,
    ternary: { codes: codes.values, scales: scale.values },
    get values() {
      return codes.values.map((code, at) => code * (scale.values[Math.floor(at / each)] ?? 0));
    },
  };
}

/** scale (base - zero), plus each further plane's scale times its signs; groups of columns share the scales. */
function planes(
  {
    base,
    zero,
    scale,
    residues,
  }: {
    readonly base: HostTensor;
    readonly zero: HostTensor;
    readonly scale: HostTensor;
    readonly residues: readonly { readonly sign: HostTensor; readonly scale: HostTensor }[];
  },
  group: number,
  fits: Fits,
): HostTensor {
  const cols = base.shape.at(-1) ?? 1;
  const groups = cols / group;
  fits(Number.isInteger(groups), () => `groups of ${group} in rows of ${cols}`);
  const wanted = base.shape.with(-1, groups);
  for (const [name, own] of [
    ['zero', zero],
    ['scale', scale],
    ...residues.map((each, index) => [`scale ${index}`, each.scale] as const),
  ] as const) {
    fits(isShape(own.shape, wanted), () => misfit(name, own, wanted));
  }
  for (const [index, { sign }] of residues.entries()) {
    fits(isShape(sign.shape, base.shape), () => misfit(`sign ${index}`, sign, base.shape));
    const wrong = sign.values.find((value) => Math.abs(value) !== 1);
    fits(wrong === undefined, () => `sign ${index} has ${wrong}; wanted -1 or 1`);
  }
  const values = base.values.map((code, at) => {
    const place = Math.floor(at / cols) * groups + Math.floor((at % cols) / group);
    let value = (scale.values[place] ?? 0) * (code - (zero.values[place] ?? 0));
    for (const residue of residues) {
      value += (residue.scale.values[place] ?? 0) * (residue.sign.values[at] ?? 0);
    }
    return value;
  });
  return { shape: base.shape, values };
}

/** L R + S; L may be the same for all experts. */
function product(left: HostTensor, right: HostTensor, plus: HostTensor | undefined, fits: Fits): HostTensor {
  const [outs = 1, rank = 1] = left.shape.slice(-2);
  const [experts = 1, , ins = 1] = right.shape;
  const inner = [experts, rank, ins];
  fits(isShape(right.shape, inner), () => misfit('right', right, inner));
  const outer = left.shape.length === 2 ? [outs, rank] : [experts, outs, rank];
  fits(isShape(left.shape, outer), () => misfit('left', left, outer));
  const sum = [experts, outs, ins];
  if (plus) fits(isShape(plus.shape, sum), () => misfit('plus', plus, sum));
  const isShared = left.shape.length === 2;
  const values = new Float32Array(experts * outs * ins);
  for (let at = 0; at < values.length; at += 1) {
    const c = at % ins;
    const r = Math.floor(at / ins) % outs;
    const e = Math.floor(at / (ins * outs));
    let value = plus?.values[at] ?? 0;
    for (let k = 0; k < rank; k += 1) {
      const own = ((isShared ? 0 : e) * outs + r) * rank + k;
      value += (left.values[own] ?? 0) * (right.values[(e * rank + k) * ins + c] ?? 0);
    }
    values[at] = value;
  }
  return { shape: sum, values };
}
