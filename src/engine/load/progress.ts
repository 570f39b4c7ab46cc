import type { LoadProgress } from '../api.ts';
import type { Drafted } from './planning.ts';
import { savedBytes } from '../../experts/expert-plan.ts';
import type { SlotPlan } from './slots.ts';

/** Counts what has come of all that will before the first token. */
export function downloadProgress(
  { checkpoint, context, experts }: Drafted,
  {
    onProgress,
    slots,
  }: {
    readonly onProgress: (progress: LoadProgress) => void;
    readonly slots: SlotPlan | undefined;
  },
): (bytes: number) => void {
  const file = checkpoint.files[0]?.name ?? '';
  const later = slots?.streams && experts ? experts.records * experts.recordBytes : 0;
  const modelBytes = checkpoint.totalBytes - savedBytes(experts);
  const totalBytes = Math.max(1, modelBytes - later);
  let doneBytes = 0;
  return (bytes) => {
    context.signal?.throwIfAborted();
    doneBytes = Math.min(totalBytes, doneBytes + bytes);
    onProgress({ kind: 'downloading', doneBytes, totalBytes, modelBytes, file });
  };
}
