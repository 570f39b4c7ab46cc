/** How much of a model has come, in one quiet line. */
import { SLOT_STATES, type ModelPlan, type StreamingReport } from '../src/engine/api.ts';
import { formatBytes, formatPart, isFilling } from '../src/element/index.ts';

/** What still comes in the background; empty when nothing does. */
export function describeArrival(report: StreamingReport, plan: ModelPlan): string {
  if (!isFilling(report)) return '';
  const { doneBytes, totalBytes } = arrived(report, plan);
  if (doneBytes >= totalBytes) return '';
  return `The rest downloads in the background: ${formatShareOf(doneBytes, totalBytes)} here.`;
}

/** "12 MB of 24 MB are", "almost all of 24 MB is": what is missing is not rounded away. */
function formatShareOf(doneBytes: number, totalBytes: number): string {
  const [done, total] = [formatBytes(doneBytes), formatBytes(totalBytes)];
  return done === total ? `almost all of ${total} is` : `${done} of ${total} are`;
}

/** What the first word had to wait for. */
export function describeFirstWord(report: StreamingReport, { bytes }: ModelPlan): string {
  const denseBytes = Math.max(0, bytes.download - bytes.allExperts);
  const neededBytes = Math.min(bytes.download, denseBytes + report.readBytes);
  return `Needed for the first word: ${formatPart(neededBytes, bytes.download)}.`;
}

/** On the disk where it is kept; else in GPU memory. */
function arrived(
  { disk, states, unitBytes, layers, slotsPerLayer, unitsPerLayer }: StreamingReport,
  { bytes }: ModelPlan,
): { doneBytes: number; totalBytes: number } {
  if (disk && disk.why === '') return { doneBytes: disk.storedBytes, totalBytes: disk.totalBytes };
  const missing = layers * unitsPerLayer - states.filter((state) => state === SLOT_STATES.resident).length;
  const missingBytes = slotsPerLayer < unitsPerLayer ? 0 : missing * unitBytes;
  return { doneBytes: Math.max(0, bytes.download - missingBytes), totalBytes: bytes.download };
}
