/** The records that a model's routed experts are kept in, and how one is read out of a checkpoint. */
import type { RecordSource } from '../../blocks/block.ts';
import { expertMatrices, type ExpertLayer } from '../../blocks/read.ts';
import { AtomoeError, invariant } from '../../errors.ts';
import { evenRecords, type RecordShape } from '../../experts/pools.ts';
import type { ReadyRecords } from '../../containers/checkpoint.ts';
import type { FormatName } from '../../weights/formats/index.ts';
import { chooseFormat, commonFormat, matrixLayout } from '../../weights/matrix.ts';
import { packRecord, recordLayout, type RecordLayout } from '../../weights/record.ts';
import { describe, readPart, wrongShape, type ReadContext } from './weights.ts';

/** The routed experts of a model: how many, how they lie, and how to read one. Layers without experts do not count. */
export interface ExpertPlan extends RecordShape {
  readonly records: number; // of all layers
  readonly expertSizeBytes: number; // one expert's share of a record, where it has most
  read(layer: number, unit: number, context: ReadContext): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Where a checkpoint has the records ready, the plan is theirs: `quantize` does not touch the experts then.
 *
 * @param layers - those with routed experts
 * @returns undefined for a model without routed experts
 * @throws {AtomoeError} bad-file - a tensor is missing, or the records are of another model; unsupported-model - a stored type
 */
export function planExperts(layers: readonly ExpertLayer[], context: ReadContext): ExpertPlan | undefined {
  if (layers.length === 0) return undefined;
  const { records, label } = context.checkpoint;
  if (records) return planReady(layers, records, label);
  const formats = formatsOfParts(layers, context);
  const banks = planBanks(layers, formats);
  const bankOf = (layer: number): BankPlan => {
    const bank = banks[layer];
    invariant(bank, () => `no expert layer ${layer}`);
    return bank;
  };
  return {
    layers: banks.length,
    unitsPerLayer: Math.max(...banks.map(({ units }) => units)),
    recordBytes: bankOf(0).layout.sizeBytes,
    records: banks.reduce((sum, { units }) => sum + units, 0),
    units: (layer) => bankOf(layer).units,
    layout: (layer) => bankOf(layer).layout,
    expertSizeBytes: Math.max(...banks.map(({ expertSizeBytes }) => expertSizeBytes)),
    async read(layer, unit, readContext) {
      const { from, units, layout } = bankOf(layer);
      const encoded: Record<string, Uint8Array<ArrayBuffer>> = {};
      const readOne = async ([name, { rows, shape }]: [string, RecordSource]) => {
        encoded[name] = await readPart(rows, shape[1], formatOf(formats, name), readContext);
      };
      // All at once: the parts lie side by side in most files, and then become one request.
      await Promise.all(Object.entries(from.parts(units, unit)).map(readOne));
      return packRecord(layout, encoded);
    },
  };
}

/** The records of one layer. */
interface BankPlan {
  readonly from: ExpertLayer;
  readonly units: number;
  readonly layout: RecordLayout;
  readonly expertSizeBytes: number;
}

/** Records are padded to the largest of all layers, so that slots can be shared: the layers of nearly all models are alike. */
function planBanks(layers: readonly ExpertLayer[], formats: Formats): BankPlan[] {
  const banks = layers.map((from) => {
    const { experts } = from.bank;
    const units = from.units(sizeOf(formats, from.parts(experts, 0)));
    const layout = recordLayout(formats, shapesOf(from.parts(units, 0)));
    return { from, units, layout, expertSizeBytes: (layout.sizeBytes * units) / experts };
  });
  const sizeBytes = Math.max(...banks.map(({ layout }) => layout.sizeBytes));
  return banks.map((bank) => ({ ...bank, layout: { ...bank.layout, sizeBytes } }));
}

/** The records lie ready in a format of their own; only their shape has to be this model's, in every layer. */
function planReady(layers: readonly ExpertLayer[], ready: ReadyRecords, label: string): ExpertPlan {
  const { layout, unitsPerLayer } = ready;
  const found = recordText(
    ready.layers,
    unitsPerLayer,
    Object.entries(layout.parts).map(([name, { rows, cols }]) => [name, [rows, cols]]),
  );
  for (const layer of layers) {
    const { experts } = layer.bank;
    // Where records hold several experts, how many is the file's choice.
    const units = layer.units(0) === experts ? experts : unitsPerLayer;
    const wanted = recordText(layers.length, units, Object.entries(shapesOf(layer.parts(units, 0))));
    if (found === wanted) continue;
    throw new AtomoeError(
      'bad-file',
      `${label}: the packed experts are ${found}; config.json wants ${wanted}; they do not belong together, ` +
        `download the pack again`,
    );
  }
  for (const { kind } of layers) checkTogether(layout, kind.together ?? [], label);
  const experts = Math.max(...layers.map(({ bank }) => bank.experts));
  return {
    ...evenRecords(layers.length, unitsPerLayer, layout),
    records: layers.length * unitsPerLayer,
    expertSizeBytes: (layout.sizeBytes * unitsPerLayer) / experts,
    async read(layer, unit, { checkpoint, signal }) {
      invariant(checkpoint.records, () => `${checkpoint.label} has no records`);
      return checkpoint.records.read(layer, unit, { signal });
    },
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

type Shape = RecordSource['shape'];

function shapesOf(parts: Readonly<Record<string, RecordSource>>): Record<string, Shape> {
  return Object.fromEntries(Object.entries(parts).map(([name, { shape }]) => [name, shape]));
}

type Formats = Readonly<Record<string, FormatName>>; // by the names of parts

function formatOf(formats: Formats, part: string): FormatName {
  const format = formats[part];
  invariant(format !== undefined, () => `no format for part ${part}`);
  return format;
}

/** Bytes of matrices behind one another, without gaps. */
function sizeOf(formats: Formats, parts: Readonly<Record<string, RecordSource>>): number {
  let sizeBytes = 0;
  for (const [name, [rows, cols]] of Object.entries(shapesOf(parts)))
    sizeBytes += matrixLayout(formatOf(formats, name), rows, cols).sizeBytes;
  return sizeBytes;
}

function recordText(layers: number, units: number, shapes: readonly (readonly [string, Shape])[]): string {
  const parts = shapes.map(([name, [rows, cols]]) => `${name} ${rows} x ${cols}`).join(', ');
  return `${layers} layers of ${units} records of ${parts}`;
}

/**
 * The format of each part, the same in all records of a model: f32 where the file stores it in several types, from expert to
 * expert or from layer to layer, so that no expert loses bits. Looks at every part, and so finds what is missing or of
 * another shape before anything is read.
 */
function formatsOfParts(layers: readonly ExpertLayer[], { checkpoint, quantize }: ReadContext): Formats {
  const groups = new Map<string, Set<FormatName>>(); // by the first part of those that have one format
  const groupOf = new Map<string, Set<FormatName>>(); // by each part
  for (const layer of layers) {
    const together = layer.kind.together ?? [];
    for (const [name, { rows: part, shape }] of expertMatrices([layer])) {
      const [rows, cols] = shape;
      const described = describe(checkpoint, part, cols);
      if (described.rows !== rows) throw wrongShape(checkpoint, part, `${rows} rows of ${cols}`);
      const first = together.includes(name) ? (together[0] ?? name) : name;
      const formats = groups.get(first) ?? new Set();
      groups.set(first, formats.add(chooseFormat(described.dtype, cols, quantize)));
      groupOf.set(name, formats);
    }
  }
  return Object.fromEntries([...groupOf].map(([name, formats]) => [name, commonFormat(formats)]));
}
