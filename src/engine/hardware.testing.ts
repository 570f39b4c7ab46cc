/** What tests of models on an adapter that is treated as hardware share. */
import type { Tuning } from '../graph/plan.ts';
import type { GeneratedShape } from './generated-model.testing.ts';
import type { TuningStore } from './load/tuning.ts';

/** More experts than the narrow gates hold. */
export const MANY_EXPERTS: GeneratedShape = {
  layers: 2,
  hidden: 64,
  width: 32,
  experts: 160,
  topK: 8,
  heads: 4,
  kvHeads: 4,
  headDim: 16,
  vocab: 96,
  contextTokens: 64,
};

/** Nothing is timed where it cannot be stored. */
export class MemoryStore implements TuningStore {
  tuning: Tuning = new Map();

  read(): Promise<Tuning> {
    return Promise.resolve(this.tuning);
  }

  write(_adapter: string, tuning: Tuning): Promise<void> {
    this.tuning = tuning;
    return Promise.resolve();
  }
}
