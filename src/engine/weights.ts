/** Reads a model's weights out of a checkpoint: dense matrices one by one, experts record by record. */
import { AtomoeError, invariant } from '../errors.ts';
import { packRecord, recordLayout } from '../experts/record.ts';
import { noTensor, type Checkpoint } from '../formats/checkpoint.ts';
import { isWeightDtype, type WeightDtype } from '../weights/dtypes.ts';
import type { ExpertPack } from '../formats/pack.ts';
import type { FormatName } from '../weights/formats/index.ts';
import { chooseFormat, commonFormat, encodeMatrix, isStackable, matrixLayout } from '../weights/matrix.ts';
import type { RecordLayout } from '../graph/experts.ts';
import type { TensorRows, Weight } from '../graph/tensor.ts';
import type { WeightPart } from '../graph/weight-parts.ts';
import { quantizedNames } from '../models/quantization.ts';
import type { AtomicSpec, ModelSpec, MoeSpec } from '../models/spec.ts';
import type { QuantizeFormat } from './api.ts';

export interface ReadContext {
  readonly checkpoint: Checkpoint;
  readonly quantize?: QuantizeFormat | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A matrix as it goes to the GPU. */
export interface EncodedMatrix {
  readonly format: FormatName;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly scalesOffsetBytes: number;
}

/** Rows and stored type of a part, from the header alone. */
function describe(
  checkpoint: Checkpoint,
  part: TensorRows,
  cols: number,
): { dtype: WeightDtype; rows: number } {
  const info = checkpoint.tensor(part.tensor);
  if (!info) throw absent(checkpoint, part.tensor);
  const { dtype, shape } = info;
  if (!isWeightDtype(dtype)) {
    throw new AtomoeError(
      'unsupported-model',
      `${info.file}: tensor "${part.tensor}" is ${dtype}; wanted F16, BF16 or F32; choose a 16-bit version of the model`,
    );
  }
  if (part.shape && shape.join() !== part.shape.join()) {
    throw wrongShape(checkpoint, part, `[${part.shape.join(', ')}]`);
  }
  const elements = shape.reduce((product, size) => product * size, 1);
  const width = shape.length <= 1 ? cols : (shape[shape.length - 1] ?? 0);
  const allRows = elements / Math.max(1, width);
  const rows = part.rowCount ?? allRows - (part.rowStart ?? 0);
  if (width !== cols || !Number.isInteger(allRows) || (part.rowStart ?? 0) + rows > allRows || rows <= 0) {
    throw wrongShape(checkpoint, part, `rows of ${cols}`);
  }
  return { dtype, rows };
}

/** Why a tensor is not there: quantising tools put others in its place. */
function absent(checkpoint: Checkpoint, name: string): AtomoeError {
  const { label, lost } = checkpoint;
  const companion = quantizedNames(name).find((other) => checkpoint.tensor(other));
  if (companion === undefined) return noTensor(label, name, lost.get(name), [...checkpoint.names()].length);
  return new AtomoeError(
    'unsupported-model',
    `${label}: the weights are quantised, "${companion}" is there instead of "${name}"; Atomoe reads F32, F16 and BF16 ` +
      `weights; choose the model's 16-bit version`,
  );
}

function wrongShape(checkpoint: Checkpoint, part: TensorRows, wanted: string): AtomoeError {
  const info = checkpoint.tensor(part.tensor);
  return new AtomoeError(
    'bad-file',
    `${info?.file ?? checkpoint.label}: tensor "${part.tensor}" has shape [${info?.shape.join(', ') ?? ''}]; ` +
      `wanted ${wanted}; config.json and weights do not belong together`,
  );
}

/**
 * The format in which a weight of the graph will be kept.
 *
 * @throws {AtomoeError} bad-file - a tensor is missing or has another shape; unsupported-model - a stored type
 */
export function formatOf(weight: Weight, { checkpoint, quantize }: ReadContext): FormatName {
  const { source, rows, cols } = weight;
  if (source.kind === 'computed') return 'f32';
  let found = 0;
  const dtypes = new Set<WeightDtype>();
  for (const part of source.parts) {
    const described = describe(checkpoint, part, cols);
    found += described.rows;
    dtypes.add(described.dtype);
  }
  const [first = { tensor: weight.name }] = source.parts;
  if (found !== rows) throw wrongShape(checkpoint, first, `${rows} rows of ${cols} in all`);
  const [dtype = 'F32'] = dtypes;
  return weight.exact ? 'f32' : chooseFormat(dtypes.size === 1 ? dtype : 'F32', cols, quantize);
}

/** Reads a dense weight in the format that `formatOf` tells. */
export async function readWeight(weight: Weight, context: ReadContext): Promise<EncodedMatrix> {
  const { source, rows, cols } = weight;
  if (source.kind === 'computed') {
    const values = source.values();
    return { format: 'f32', bytes: new Uint8Array(values.buffer), scalesOffsetBytes: 0 };
  }
  return readParts({ parts: source.parts, rows, cols, format: formatOf(weight, context) }, context);
}

/** Parts of tensors, stacked. */
async function readParts(
  stack: {
    readonly parts: readonly TensorRows[];
    readonly rows: number;
    readonly cols: number;
    readonly format: FormatName;
  },
  context: ReadContext,
): Promise<EncodedMatrix> {
  const { parts, rows, cols, format } = stack;
  const { sizeBytes, scalesOffsetBytes } = matrixLayout(format, rows, cols);
  if (parts.length === 1 && parts[0]) {
    return { format, bytes: await readPart(parts[0], cols, format, context), scalesOffsetBytes };
  }
  // Stacked parts: quants follow quants and scales follow scales only if the whole is encoded at once.
  const isWhole = !isStackable(format);
  const partFormat = isWhole ? 'f32' : format;
  const stacked = new Uint8Array(isWhole ? 4 * rows * cols : sizeBytes);
  let at = 0;
  for (const part of parts) {
    const bytes = await readPart(part, cols, partFormat, context);
    stacked.set(bytes, at);
    at += bytes.byteLength;
  }
  const bytes = isWhole ? encodeMatrix('F32', stacked, format, rows, cols) : stacked;
  return { format, bytes, scalesOffsetBytes };
}

/** Reads some rows of a dense weight: bit for bit what `readWeight` gives for them. */
export async function readWeightRows(
  weight: Weight,
  { firstRow, rows }: WeightPart,
  context: ReadContext,
): Promise<EncodedMatrix> {
  const { source, cols } = weight;
  if (rows === weight.rows || source.kind === 'computed') return readWeight(weight, context);
  const parts: TensorRows[] = [];
  let at = 0; // the weight's row with which a part begins
  for (const part of source.parts) {
    const { rows: count } = describe(context.checkpoint, part, cols);
    const from = Math.max(at, firstRow);
    const to = Math.min(at + count, firstRow + rows);
    if (from < to) {
      parts.push({ tensor: part.tensor, rowStart: (part.rowStart ?? 0) + from - at, rowCount: to - from });
    }
    at += count;
  }
  return readParts({ parts, rows, cols, format: formatOf(weight, context) }, context);
}

async function readPart(
  part: TensorRows,
  cols: number,
  format: FormatName,
  { checkpoint, signal }: ReadContext,
): Promise<Uint8Array<ArrayBuffer>> {
  const { dtype, rows } = describe(checkpoint, part, cols);
  // To a reader a vector's elements are its rows; as one row of a matrix it is read whole.
  const isOneRow = cols !== 1 && (checkpoint.tensor(part.tensor)?.shape.length ?? 0) <= 1;
  const { bytes } = await checkpoint.read(part.tensor, {
    signal,
    ...(isOneRow ? {} : { rowStart: part.rowStart ?? 0, rowCount: rows }),
  });
  return encodeMatrix(dtype, bytes, format, rows, cols);
}

/** The routed experts of a model: how many, how they lie, and how to read one. Layers without experts do not count. */
export interface ExpertPlan {
  readonly layers: number;
  readonly unitsPerLayer: number;
  readonly layout: RecordLayout;
  readonly expertSizeBytes: number; // one expert's share of a record
  read(layer: number, unit: number, context: ReadContext): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Atomic experts are too small to fetch and evict one by one, so a unit is a page of them: small enough that a cache of
 * some pages pays, large enough that a read does. A grid row of so many bytes is a page.
 */
const MIN_ROW_PAGE_BYTES = 16 * 1024;

/** Shorter grid rows are gathered up to so many bytes: below it a read costs its round trip, not its bytes. */
const MIN_GATHERED_PAGE_BYTES = 64 * 1024;

/**
 * Where a model is packed, its plan is the pack's: `quantize` does not touch the experts then.
 *
 * @returns undefined for a model without routed experts
 * @throws {AtomoeError} bad-file - a tensor is missing, or the pack is of another model; unsupported-model - a stored type
 */
export function planExperts(spec: ModelSpec, context: ReadContext): ExpertPlan | undefined {
  const first = spec.layers.find(({ mlp }) => mlp.kind !== 'dense')?.mlp;
  if (!first || first.kind === 'dense') return undefined;
  const { pack, label } = context.checkpoint;
  if (pack) return planPacked(spec, first, pack, label);
  return first.kind === 'moe'
    ? planGluExperts(spec, first.experts, first.width, context)
    : planPages(spec, context);
}

function planGluExperts(spec: ModelSpec, experts: number, width: number, context: ReadContext): ExpertPlan {
  const { hidden } = spec;
  const shapes = gluShapes(hidden, width);
  const sparse = spec.layers.flatMap(({ mlp }) => (mlp.kind === 'moe' ? [mlp] : []));
  const format = formatOfParts(gluParts(sparse, shapes), context, commonDivisor(hidden, width));
  const layout = recordLayout(format, shapes);
  return {
    layers: sparse.length,
    unitsPerLayer: experts,
    layout,
    expertSizeBytes: layout.sizeBytes,
    async read(layer, unit, readContext) {
      const mlp = sparse[layer];
      invariant(mlp, () => `no expert layer ${layer}`);
      const parts = mlp.expert(unit);
      const encoded: Record<string, Uint8Array<ArrayBuffer>> = {};
      // All at once: the parts lie side by side in most files, and then become one request.
      const readOne = async (name: 'gate' | 'up' | 'down') => {
        const [, cols] = shapes[name];
        const part = parts[name];
        encoded[name] = await readPart(part, cols, layout.format, readContext);
      };
      await Promise.all([readOne('gate'), readOne('up'), readOne('down')]);
      return packRecord(layout, encoded);
    },
  };
}

function planPages(spec: ModelSpec, context: ReadContext): ExpertPlan {
  const { hidden } = spec;
  const atomic = spec.layers.flatMap(({ mlp }) => (mlp.kind === 'atomic' ? [mlp] : []));
  const [first] = atomic;
  invariant(first, () => 'no atomic experts');
  const format = formatOfParts(atomicParts(atomic, hidden), context, hidden);
  const pageExperts = pageSize(first.experts, first.grid, 2 * matrixLayout(format, 1, hidden).sizeBytes);
  const layout = recordLayout(format, pageShapes(hidden, pageExperts));
  return {
    layers: atomic.length,
    unitsPerLayer: first.experts / pageExperts,
    layout,
    expertSizeBytes: layout.sizeBytes / pageExperts,
    async read(layer, unit, readContext) {
      const mlp = atomic[layer];
      invariant(mlp, () => `no expert layer ${layer}`);
      const encoded: Record<string, Uint8Array<ArrayBuffer>> = {};
      const readOne = async (name: 'in' | 'out', tensor: string) => {
        const part = { tensor, rowStart: unit * pageExperts, rowCount: pageExperts };
        encoded[name] = await readPart(part, hidden, layout.format, readContext);
      };
      await Promise.all([readOne('in', mlp.input), readOne('out', mlp.output)]);
      return packRecord(layout, encoded);
    },
  };
}

/** The records lie ready in a format of their own; only their shape has to be this model's. */
function planPacked(
  spec: ModelSpec,
  first: MoeSpec | AtomicSpec,
  pack: ExpertPack,
  label: string,
): ExpertPlan {
  const { layout, layers, unitsPerLayer } = pack;
  const { hidden } = spec;
  const unitExperts = first.kind === 'moe' ? 1 : first.experts / unitsPerLayer;
  const shapes = first.kind === 'moe' ? gluShapes(hidden, first.width) : pageShapes(hidden, unitExperts);
  const sparse = spec.layers.filter(({ mlp }) => mlp.kind !== 'dense').length;
  const found = recordText(
    layers,
    unitsPerLayer,
    Object.entries(layout.parts).map(([name, { rows, cols }]) => [name, [rows, cols]]),
  );
  const wanted = recordText(sparse, first.experts / unitExperts, Object.entries(shapes));
  if (found !== wanted) {
    throw new AtomoeError(
      'bad-file',
      `${label}: the packed experts are ${found}; config.json wants ${wanted}; they do not belong together, ` +
        `download the pack again`,
    );
  }
  return {
    layers,
    unitsPerLayer,
    layout,
    expertSizeBytes: layout.sizeBytes / unitExperts,
    async read(layer, unit, { checkpoint, signal }) {
      invariant(checkpoint.pack, () => `${checkpoint.label} is no packed model`);
      return checkpoint.pack.read(layer, unit, { signal });
    },
  };
}

type Shape = readonly [rows: number, cols: number];

function gluShapes(hidden: number, width: number) {
  const across: Shape = [width, hidden];
  return { gate: across, up: across, down: [hidden, width] as Shape };
}

function pageShapes(hidden: number, pageExperts: number) {
  const vectors: Shape = [pageExperts, hidden];
  return { in: vectors, out: vectors };
}

function recordText(layers: number, units: number, shapes: readonly (readonly [string, Shape])[]): string {
  const parts = shapes.map(([name, [rows, cols]]) => `${name} ${rows} x ${cols}`).join(', ');
  return `${layers} layers of ${units} records of ${parts}`;
}

/**
 * Experts of a page: a grid row where it has `MIN_ROW_PAGE_BYTES`, else whole grid rows that divide the table, enough of
 * them for `MIN_GATHERED_PAGE_BYTES`.
 */
export function pageSize(experts: number, grid: number, expertBytes: number): number {
  if (grid * expertBytes >= MIN_ROW_PAGE_BYTES) return grid;
  for (let rows = 1; rows <= experts / grid; rows += 1) {
    const isDivisor = (experts / grid) % rows === 0;
    if (isDivisor && (rows * grid * expertBytes >= MIN_GATHERED_PAGE_BYTES || rows * grid === experts))
      return rows * grid;
  }
  return experts;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

interface SizedPart {
  readonly part: TensorRows;
  readonly shape: Shape;
}

/** Every matrix of every expert. */
function* gluParts(layers: readonly MoeSpec[], shapes: ReturnType<typeof gluShapes>): Generator<SizedPart> {
  for (const { experts, expert } of layers) {
    for (let index = 0; index < experts; index += 1) {
      const { gate, up, down } = expert(index);
      yield { part: gate, shape: shapes.gate };
      yield { part: up, shape: shapes.up };
      yield { part: down, shape: shapes.down };
    }
  }
}

function* atomicParts(layers: readonly AtomicSpec[], hidden: number): Generator<SizedPart> {
  for (const { input, output, experts } of layers) {
    for (const tensor of [input, output]) {
      yield { part: { tensor, shape: [experts, hidden] }, shape: [experts, hidden] };
    }
  }
}

/**
 * The one format of all records of a model: f32 where the file has several, so that no expert loses bits. Looks at every
 * part, and so finds what is missing or of another shape before anything is read.
 *
 * @param cols - what the rows' lengths have in common
 */
function formatOfParts(
  parts: Iterable<SizedPart>,
  { checkpoint, quantize }: ReadContext,
  cols: number,
): FormatName {
  const formats = new Set<FormatName>();
  for (const { part, shape } of parts) {
    const [rows, width] = shape;
    const described = describe(checkpoint, part, width);
    if (described.rows !== rows) throw wrongShape(checkpoint, part, `${rows} rows of ${width}`);
    formats.add(chooseFormat(described.dtype, cols, quantize));
  }
  return commonFormat(formats);
}

/** Names of the tensors that hold routed experts. */
export function expertTensors(spec: ModelSpec): Set<string> {
  const names = new Set<string>();
  for (const { mlp } of spec.layers) {
    if (mlp.kind === 'atomic') names.add(mlp.input).add(mlp.output);
    for (let index = 0; mlp.kind === 'moe' && index < mlp.experts; index += 1) {
      for (const { tensor } of Object.values(mlp.expert(index))) names.add(tensor);
    }
  }
  return names;
}
