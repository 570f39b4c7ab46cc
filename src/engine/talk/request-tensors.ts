/** Tensors of a request: checked against what the model's routers read of one. */
import type { RequestedTensor, RequestedValues } from '../../graph/node.ts';
import { under, wrong } from '../../models/layer/fields.ts';
import type { RequestTensors } from '../api.ts';
import type { InputValues, StepTensors } from '../run/given-tensors.ts';

const ROOT = 'tensors';

/** A tensor with rows of one width. */
interface Rows {
  readonly rows: number; // 1: for all tokens
  readonly width: number;
  readonly values: Float32Array<ArrayBuffer>;
}

/** Tensors that were checked. */
export interface CheckedTensors extends StepTensors {
  readonly plain: RequestTensors; // as JSON has them
}

/**
 * The tensors of a request that runs positions 0 to `tokens - 1`.
 *
 * @throws {AtomoeError} bad-input - names the tensor, or one of its numbers
 */
export function readTensors(
  given: unknown,
  requested: readonly RequestedTensor[],
  tokens: number,
): CheckedTensors {
  const tensors = recordOf(given, ROOT, 'an object with a tensor for each name');
  const names = [...new Set(requested.map(({ name }) => name))];
  for (const [name, tensor] of Object.entries(tensors)) {
    if (!names.includes(name))
      wrong(under(ROOT, name), tensor, names.join(', ') || 'none: the routing reads no tensors');
  }
  const read = new Map(names.map((name) => [name, rowsOf(tensors[name], under(ROOT, name))]));
  for (const each of requested) checkTensor(read.get(each.name), each, tokens);
  const rowAt = ({ rows, width, values }: Rows, position: number) => {
    const row = Math.min(position, rows - 1);
    return values.subarray(row * width, (row + 1) * width);
  };
  return {
    plain: Object.fromEntries(
      [...read].map(([name, { rows, width, values }]) => [
        name,
        { shape: [rows, width], values: [...values] },
      ]),
    ),
    values({ name, tensor }, past, count) {
      const own = read.get(name);
      const made = newArray(tensor.type, tensor.fixed + tensor.perToken * count);
      if (!own) return made;
      if (tensor.fixed > 0) made.set(own.values);
      else for (let t = 0; t < count; t += 1) made.set(rowAt(own, past + t), t * tensor.perToken);
      return made;
    },
    row(name, position) {
      const own = read.get(name);
      return own && (own.rows === 1 || position < own.rows) ? rowAt(own, position) : undefined;
    },
  };
}

function newArray(type: string, count: number): InputValues {
  return type === 'u32' ? new Uint32Array(count) : new Float32Array(count);
}

function recordOf(value: unknown, path: string, wanted: string): Readonly<Record<string, unknown>> {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isRecord ? (value as Readonly<Record<string, unknown>>) : wrong(path, value, wanted);
}

/** A tensor whose shape and numbers agree. */
function rowsOf(given: unknown, path: string): Rows {
  const { shape, values, ...others } = recordOf(given, path, 'an object of shape and values');
  const [extra] = Object.keys(others);
  if (extra !== undefined) wrong(under(path, extra), others[extra], 'only shape, values');
  const isSize = (size: unknown) => Number.isSafeInteger(size) && (size as number) > 0;
  if (!Array.isArray(shape) || shape.length < 1 || shape.length > 2 || !shape.every(isSize))
    return wrong(under(path, 'shape'), shape, '[rows, width], or [width] for one row');
  const sizes = shape as number[];
  const width = sizes.at(-1) ?? 1;
  const rows = sizes.length === 2 ? (sizes[0] ?? 1) : 1;
  const isList = Array.isArray(values) || values instanceof Float32Array || values instanceof Uint32Array;
  if (!isList || values.length !== rows * width)
    return wrong(
      under(path, 'values'),
      isList ? values.length : values,
      `${rows * width} numbers, as its shape says`,
    );
  const list = values as ArrayLike<unknown>;
  for (let at = 0; at < list.length; at += 1) {
    const value = list[at];
    const isNumber = typeof value === 'number' && Number.isFinite(Math.fround(value));
    if (!isNumber) wrong(under(under(path, 'values'), at), value, 'a finite number');
  }
  return { rows, width, values: Float32Array.from(list as ArrayLike<number>) };
}

/** Whether a tensor is what one of its readers needs. */
function checkTensor(own: Rows | undefined, { name, tensor, values }: RequestedTensor, tokens: number): void {
  if (!own) return;
  const path = under(ROOT, name);
  const width = tensor.perToken + tensor.fixed;
  const several =
    tensor.fixed > 0
      ? ''
      : `, or [rows, ${width}] with a row for each of ${tokens} tokens of prompt and reply`;
  const fits = own.width === width && (own.rows === 1 || (tensor.fixed === 0 && own.rows >= tokens));
  if (!fits) wrong(under(path, 'shape'), [own.rows, own.width], `[1, ${width}]${several}`);
  if (values) checkValues(own, values, under(path, 'values'));
}

function checkValues({ width, values }: Rows, wanted: RequestedValues, path: string): void {
  for (const [at, value] of values.entries()) {
    const row = values.subarray(at - (at % width), at);
    const problem = problemOf(value, row, wanted);
    if (problem) wrong(under(path, at), value, problem);
  }
}

/** What a number should be. @param row - those before it */
function problemOf(value: number, row: Float32Array, wanted: RequestedValues): string | undefined {
  if (wanted.kind === 'shares') return value >= 0 && value <= 1 ? undefined : 'a number from 0 to 1';
  const most = wanted.kind === 'ids' ? wanted.experts : wanted.count - 1;
  if (!Number.isInteger(value) || value < 0 || value > most) {
    const none = wanted.kind === 'ids' ? `, where ${most} is no expert` : '';
    return `a whole number from 0 to ${most}${none}`;
  }
  if (wanted.kind === 'labels' || value === most) return undefined;
  if (row.includes(value)) return 'each expert once in a row';
  return wanted.mask?.includes(value) ? 'an expert that the mask of the description allows' : undefined;
}
