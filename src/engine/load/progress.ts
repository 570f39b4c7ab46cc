import type { LoadProgress } from '../api.ts';
import type { Drafted } from './planning.ts';
import { savedBytes, type ExpertPlan } from '../../experts/expert-plan.ts';
import type { SlotPlan } from './slots.ts';
import { densePartsOf } from './weights.ts';

/** Counts what has come of all that will before the first token. */
export function downloadProgress(
  drafted: Drafted,
  {
    onProgress,
    slots,
  }: {
    readonly onProgress: (progress: LoadProgress) => void;
    readonly slots: SlotPlan | undefined;
  },
): (bytes: number) => void {
  const { checkpoint, context, experts } = drafted;
  const file = checkpoint.files[0]?.name ?? '';
  const modelBytes = checkpoint.totalBytes - savedBytes(experts);
  const share = shareOf(drafted, modelBytes);
  const later = slots?.streams ? share * expertBytes(experts) : 0;
  const totalBytes = Math.max(1, Math.round(modelBytes - later));
  let doneBytes = 0;
  return (bytes) => {
    context.signal?.throwIfAborted();
    doneBytes = Math.min(totalBytes, doneBytes + share * bytes);
    onProgress({ kind: 'downloading', doneBytes: Math.round(doneBytes), totalBytes, modelBytes, file });
  };
}

/** Bytes of the files for a byte of memory, where weights are encoded or unpacked; else 1. What is counted are bytes in memory. */
function shareOf({ context, decode, experts }: Drafted, modelBytes: number): number {
  const dense = decode.weights.filter(({ source }) => source.kind !== 'computed');
  const parts = dense.flatMap((weight) => densePartsOf(weight, context));
  const memoryBytes = parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, expertBytes(experts));
  const isAsStored = Math.abs(memoryBytes - modelBytes) < 0.1 * modelBytes;
  return isAsStored || memoryBytes === 0 ? 1 : modelBytes / memoryBytes;
}

function expertBytes(experts: ExpertPlan | undefined): number {
  return experts ? experts.records * experts.recordBytes : 0;
}
