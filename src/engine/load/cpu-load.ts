/** Reads what a graph needs into memory, as the numbers that the kernels' references work on. */
import { invariant } from '../../errors.ts';
import type { ExpertPlan } from '../../experts/expert-plan.ts';
import type { CpuResources } from '../../graph/cpu.ts';
import type { Graph } from '../../graph/node.ts';
import { decodeMatrix } from '../../weights/matrix.ts';
import { unpackRecord } from '../../weights/record.ts';
import { readWeights, type ReadContext } from './weights.ts';

/**
 * @param advance - hears of the bytes that were read
 * @throws {AtomoeError} bad-file; non-finite; network and the like
 */
export async function loadOnCpu(
  graph: Pick<Graph, 'weights'>,
  experts: ExpertPlan | undefined,
  context: ReadContext,
  advance: (bytes: number) => void = () => {},
): Promise<Pick<CpuResources, 'weight' | 'experts'>> {
  const weights = new Map<string, Float32Array>();
  for await (const [{ weight, part, slice }, bytes] of readWeights(graph, context)) {
    const { name, rows, cols, source } = weight;
    const values = weights.get(name) ?? new Float32Array(rows * cols);
    const firstRow = part.firstRow + slice.firstRow;
    values.set(decodeMatrix(part.format, bytes, slice.rows, cols), firstRow * cols);
    weights.set(name, values);
    advance(source.kind === 'computed' ? 0 : bytes.byteLength);
  }
  return {
    weight: ({ name }) => {
      const found = weights.get(name);
      invariant(found, () => `weight ${name} was not loaded`);
      return found;
    },
    experts: experts && (await loadExperts(experts, context.signal, advance)),
  };
}

async function loadExperts(
  experts: ExpertPlan,
  signal: AbortSignal | undefined,
  advance: (bytes: number) => void,
): Promise<CpuResources['experts']> {
  const units: Readonly<Record<string, Float32Array>>[][] = [];
  for (let layer = 0; layer < experts.layers; layer += 1) {
    const records: Readonly<Record<string, Float32Array>>[] = [];
    for (let unit = 0; unit < experts.units(layer); unit += 1) {
      const record = await experts.read(layer, unit, signal);
      records.push(unpackRecord(experts.layout(layer), record));
      advance(record.byteLength);
    }
    units.push(records);
  }
  return {
    units: (layer) => experts.units(layer),
    unit: (layer, unit) => {
      const found = units[layer]?.[unit];
      invariant(found, () => `no expert ${unit} in layer ${layer}`);
      return found;
    },
  };
}
