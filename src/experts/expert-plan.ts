/** The records that a model's routed experts are kept in, and how one is read out of a checkpoint. */
import type { Checkpoint } from '../containers/checkpoint.ts';
import { describeMatrix, readMatrix, wrongShape, type MatrixReadOptions } from '../containers/matrices.ts';
import { AtomoeError, invariant } from '../errors.ts';
import { giveMemory, takeMemory } from '../io/spare-memory.ts';
import type { FormatName } from '../weights/formats/index.ts';
import { chooseFormat, commonFormat, encodeMatrix, EXACT, matrixLayout } from '../weights/matrix.ts';
import { placeOfPart, putPart, recordLayout, type RecordLayout } from '../weights/record.ts';
import type { ExpertPart } from '../weights/tensor-rows.ts';
import type { RecordPlanes } from './base-records.ts';
import type * as ExpertBits from './expert-bits.ts';
import { pickMatrix, piecesOf, rowsOf, storedShape } from './expert-rows.ts';
import { pageSize } from './pages.ts';
import { evenRecords, type RecordShape } from './pools.ts';

/** The routed experts of a layer, as the model's spec has them. */
export interface ExpertBank {
  readonly experts: number;
  readonly inPages: boolean; // a record is a page of them, else one
  readonly parts: Readonly<Record<string, ExpertPart>>; // of one expert, in the order of the record
  readonly together: readonly string[]; // parts that have one format
}

/** The routed experts of a model: how many, how they are laid out, and how to read one. Layers without experts do not count. */
export interface ExpertPlan extends RecordShape {
  readonly records: number; // of all layers
  /** [layer][place]: the units of each layer in the order of a file, where that is not by unit. */
  readonly order?: readonly (readonly number[])[];
  readonly expertSizeBytes: number; // one expert's share of a record, where it has most
  /**
   * Reads a record from the checkpoint.
   *
   * @returns layout(layer).sizeBytes bytes
   * @throws {AtomoeError} bad-file; non-finite; integrity; network and the like
   */
  readonly read: (layer: number, unit: number, signal?: AbortSignal) => Promise<Uint8Array<ArrayBuffer>>;
  /** Where the base of records can be read before the planes that refine it. */
  readonly planes?: RecordPlanes;
  /** Bytes of each record that are not read, since fewer bits are wanted. Default: 0. */
  readonly savedBytes?: number;
}

/** Bytes of all experts that are not read, because fewer bits are wanted. */
export function savedBytes(experts: ExpertPlan | undefined): number {
  return experts ? experts.records * (experts.savedBytes ?? 0) : 0;
}

/** Where the records of a plan come from. */
export interface PlanOptions {
  readonly checkpoint: Checkpoint;
  readonly quantize?: FormatName | undefined;
  readonly expertBits?: number | undefined; // of records in nested bit planes; default: all
  readonly bits?: typeof ExpertBits | undefined; // loaded where records have planes or bits are asked for
}

/**
 * Where a checkpoint has the records ready, the plan is theirs: `quantize` does not touch the experts then. Else records
 * are padded to the largest of all layers, so that slots can be shared: the layers of nearly all models are alike.
 *
 * @param banks - the layers with routed experts
 * @returns undefined for a model without routed experts
 * @throws {AtomoeError} bad-file - a tensor is missing, or the records are of another model; unsupported-model - a stored type;
 *   bad-input - `expertBits` of records without such planes
 */
export function planExperts(
  banks: readonly ExpertBank[],
  { checkpoint, quantize, expertBits, bits }: PlanOptions,
): ExpertPlan | undefined {
  if (banks.length === 0) return undefined;
  if (checkpoint.records) {
    const { records, label } = checkpoint;
    const read = bits && expertBits !== undefined ? bits.ofBits(records, expertBits, label) : records;
    return planReady(banks, read, label, bits);
  }
  if (bits && expertBits !== undefined) throw bits.noPlanes(checkpoint.label, expertBits, 'not packed');
  const laid = banks.map((bank) => {
    const formats = formatsOfParts(bank, checkpoint, quantize);
    const perUnit = bank.inPages ? pageSize(bank.experts, sizeOf(formats, bank.parts)) : 1;
    const layout = recordLayout(formats, shapesOf(bank.parts, perUnit));
    return { parts: bank.parts, formats, perUnit, units: bank.experts / perUnit, layout };
  });
  const sizeBytes = Math.max(...laid.map(({ layout }) => layout.sizeBytes));
  const padded = laid.map((bank) => ({ ...bank, layout: { ...bank.layout, sizeBytes } }));
  const bankOf = (layer: number) => {
    const bank = padded[layer];
    invariant(bank, () => `no expert layer ${layer}`);
    return bank;
  };
  return {
    layers: banks.length,
    unitsPerLayer: Math.max(...laid.map(({ units }) => units)),
    recordBytes: sizeBytes,
    records: laid.reduce((sum, { units }) => sum + units, 0),
    units: (layer) => bankOf(layer).units,
    layout: (layer) => bankOf(layer).layout,
    expertSizeBytes: Math.max(...laid.map(({ layout, perUnit }) => layout.sizeBytes / perUnit)),
    async read(layer, unit, signal) {
      const { parts, formats, perUnit, layout } = bankOf(layer);
      const record = takeMemory(layout.sizeBytes).fill(0);
      const reads = Object.entries(layout.parts).map(async ([name, place]) => {
        const part = parts[name];
        invariant(part, () => `a bank without ${name}`);
        const into = placeOfPart(record, place);
        const how = { format: formatOf(formats, name), signal, ...(into && { into }) };
        const range = { first: unit * perUnit, count: perUnit };
        const bytes = await readPart(checkpoint, part, range, how);
        putPart(record, place, bytes, name);
        if (bytes.buffer !== record.buffer) giveMemory(bytes);
      });
      // All at once: the parts are adjacent in most files, and then become one request.
      await Promise.all(reads);
      return record;
    },
  };
}

/** Reads a matrix of `count` experts from `first` on, and encodes it. */
async function readPart(
  checkpoint: Checkpoint,
  { rows, shape }: ExpertPart,
  { first, count }: { readonly first: number; readonly count: number },
  { format, signal, into }: Omit<MatrixReadOptions, 'cols'>,
): Promise<Uint8Array<ArrayBuffer>> {
  const from = rowsOf(rows, first, count);
  if (!rows.columns && !rows.transposed) {
    return readMatrix(checkpoint, from, { cols: shape[1], format, signal, ...(into && { into }) });
  }
  invariant(count === 1, () => `${rows.tensor} has no matrices of several experts`);
  const stored = storedShape(rows, shape);
  const bytes = await readMatrix(checkpoint, from, { cols: stored[1], format: EXACT, signal });
  const picked = pickMatrix(new Float32Array(bytes.buffer, bytes.byteOffset), rows, { stored, shape });
  return encodeMatrix('F32', new Uint8Array(picked.buffer), format, ...shape);
}

/** The records are ready in a format of their own; only their shape has to be this model's, in every layer. */
function planReady(
  banks: readonly ExpertBank[],
  ready: ExpertBits.BitRecords,
  label: string,
  bits: PlanOptions['bits'],
): ExpertPlan {
  const { layout, unitsPerLayer } = ready;
  const found = recordText(
    ready.layers,
    unitsPerLayer,
    Object.entries(layout.parts).map(([name, { rows, cols }]) => [name, [rows, cols]]),
  );
  for (const { experts, inPages, parts, together } of banks) {
    const units = inPages ? unitsPerLayer : experts; // how large pages are is the file's choice
    const wanted = recordText(banks.length, units, Object.entries(shapesOf(parts, experts / units)));
    if (found !== wanted) {
      throw new AtomoeError(
        'bad-file',
        `${label}: the packed experts are ${found}; config.json wants ${wanted}; they do not belong together, ` +
          `download the pack again`,
      );
    }
    checkTogether(layout, together, label);
  }
  const experts = Math.max(...banks.map((bank) => bank.experts));
  const planes = bits?.planesOf(ready);
  return {
    ...evenRecords(banks.length, unitsPerLayer, layout),
    records: banks.length * unitsPerLayer,
    expertSizeBytes: (layout.sizeBytes * unitsPerLayer) / experts,
    ...(ready.order && { order: ready.order }),
    ...(planes && { planes }),
    ...(ready.savedBytes !== undefined && { savedBytes: ready.savedBytes }),
    read: (layer, unit, signal) => ready.read(layer, unit, { signal }),
  };
}

/** What one kernel reads has one format. */
function checkTogether({ parts }: RecordLayout, names: readonly string[], label: string): void {
  const formats = names.map((name) => parts[name]?.format ?? '');
  if (new Set(formats).size <= 1) return;
  throw new AtomoeError(
    'unsupported-model',
    `${label}: the packed experts have ${names.map((name, i) => `${name} as ${formats[i]}`).join(' and ')}, which one ` +
      `kernel reads; wanted one format for both; pack the model again`,
  );
}

type Shape = ExpertPart['shape'];

/** The shapes of a record's matrices, where it holds this many experts. */
function shapesOf(parts: ExpertBank['parts'], perUnit: number): Record<string, Shape> {
  const stacked = ({ shape: [rows, cols] }: ExpertPart): Shape => [perUnit * rows, cols];
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, stacked(part)]));
}

type Formats = Readonly<Record<string, FormatName>>; // by the names of parts

function formatOf(formats: Formats, part: string): FormatName {
  const format = formats[part];
  invariant(format !== undefined, () => `no format for part ${part}`);
  return format;
}

/** Bytes of an expert's matrices behind one another, without gaps. */
function sizeOf(formats: Formats, parts: ExpertBank['parts']): number {
  let sizeBytes = 0;
  for (const [name, { shape }] of Object.entries(parts))
    sizeBytes += matrixLayout(formatOf(formats, name), ...shape).sizeBytes;
  return sizeBytes;
}

function recordText(layers: number, units: number, shapes: readonly (readonly [string, Shape])[]): string {
  const parts = shapes.map(([name, [rows, cols]]) => `${name} ${rows} x ${cols}`).join(', ');
  return `${layers} layers of ${units} records of ${parts}`;
}

/**
 * The format of each part, the same in all records of a layer: f32 where the file stores it in several types from expert to
 * expert, so that no expert loses bits. Looks at every part, and so finds what is missing or of another shape before
 * anything is read.
 */
function formatsOfParts(
  { experts: all, parts, together }: ExpertBank,
  checkpoint: Checkpoint,
  quantize: FormatName | undefined,
): Formats {
  const groups = new Map<string, Set<FormatName>>(); // by the first part of those that have one format
  const groupOf = new Map<string, Set<FormatName>>(); // by each part
  for (const [name, { rows, shape, exact = false }] of Object.entries(parts)) {
    const [perExpert, cols] = storedShape(rows, shape);
    const first = together.includes(name) ? (together[0] ?? name) : name;
    const formats = groups.get(first) ?? new Set();
    groups.set(first, formats);
    groupOf.set(name, formats);
    for (const { piece, experts } of piecesOf(rows, all)) {
      const described = describeMatrix(checkpoint, piece, cols);
      const wanted = experts * perExpert;
      if (described.rows !== wanted) throw wrongShape(checkpoint, piece, `${wanted} rows of ${cols}`);
      formats.add(exact ? EXACT : chooseFormat(described.dtype, shape[1], quantize));
    }
  }
  return Object.fromEntries([...groupOf].map(([name, formats]) => [name, commonFormat(formats)]));
}
