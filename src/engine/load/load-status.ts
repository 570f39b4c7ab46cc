/** A load as one account: all its events joined (`load-meter.ts`). */
import type { LoadProgress } from '../api.ts';

/** A load as a whole. Bytes and `fraction` never go back. */
export interface LoadStatus {
  readonly phase: LoadProgress['kind'];
  readonly doneBytes: number; // of `totalBytes`
  readonly totalBytes: number; // before the model is ready; 0: not known yet
  readonly modelBytes: number; // with what comes while it talks
  readonly doneSteps: number; // of the phase: pipelines that are compiled, kernels that are timed
  readonly totalSteps: number; // 0: not known yet
  readonly fraction: number | undefined; // 0..1 of all phases; undefined: not known yet
  readonly bytesPerSecond: number | undefined; // lately; 0: nothing comes; undefined: too early to say, or no download
  readonly secondsLeft: number | undefined; // of the download; undefined where a guess would not be honest
}

/** A load that has only begun. */
export const LOAD_BEGUN: LoadStatus = {
  phase: 'planning',
  doneBytes: 0,
  totalBytes: 0,
  modelBytes: 0,
  doneSteps: 0,
  totalSteps: 0,
  fraction: undefined,
  bytesPerSecond: undefined,
  secondsLeft: undefined,
};
