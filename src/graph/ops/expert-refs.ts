import { invariant } from '../../errors.ts';
import type { PoolCount } from '../../kernels/experts/expert-pool.ts';
import type { LowerContext } from '../node.ts';
import type { Ref } from '../tensor.ts';
import type { FormatName } from '../../weights/formats/index.ts';
import { scalesOffsetBytes } from '../../weights/record.ts';

/** The bindings and parameters by which the kernels of an expert layer find its records. */
export interface ExpertBinding {
  readonly pools: PoolCount;
  readonly poolBuffers: Readonly<Record<string, Ref>>; // pool0, or pool0 to pool3
  readonly table: Ref;
  readonly tableBase: number; // index of the layer's first entry
  readonly slotVec4: number;
  /** The common format of some parts that one kernel reads. */
  format(...parts: readonly string[]): FormatName;
  /** The offset of a part in a record, in units of 16 bytes. */
  at(part: string): number;
  /** The offset of a part's scales in a record, in u32 words. */
  scales(part: string): number;
}

/** The bindings of the kernels of a bank. */
export function bindExperts({ experts }: LowerContext, bank: number): ExpertBinding {
  invariant(experts, () => 'the graph has experts, the engine has none');
  const buffers = experts.pools(bank);
  invariant(buffers.length === 1 || buffers.length === 4, () => `${buffers.length} pools`);
  const { table, unitsPerLayer } = experts;
  const layout = experts.layout(bank);
  // Computed once, because every step reads them as parameters.
  const parts = new Map(
    Object.entries(layout.parts).map(([name, part]) => [
      name,
      { format: part.format, at: part.offsetBytes / 16, scales: scalesOffsetBytes(part) / 4 },
    ]),
  );
  const partOf = (name: string) => {
    const found = parts.get(name);
    invariant(found, () => `records have no part ${name}`);
    return found;
  };
  return {
    format: (...names) => {
      const [format, ...others] = new Set(names.map((name) => partOf(name).format));
      invariant(format && others.length === 0, () => `${names.join(', ')} of one kernel differ in format`);
      return format;
    },
    pools: buffers.length,
    poolBuffers: Object.fromEntries(buffers.map((buffer, index) => [`pool${index}`, buffer])),
    table,
    tableBase: bank * unitsPerLayer,
    slotVec4: layout.sizeBytes / 16,
    at: (name) => partOf(name).at,
    scales: (name) => partOf(name).scales,
  };
}
