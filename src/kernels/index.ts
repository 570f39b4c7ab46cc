import type { Program } from '../gpu/program.ts';
import { programs } from './kernel.ts';
import { rmsNorm } from './rms-norm.ts';
import { ropeKv } from './rope-kv.ts';

/** Every kernel in every variant that the engine may ask for. A new kernel is added here and nowhere else. */
export const allPrograms: readonly Program[] = [
  ...programs(rmsNorm),
  ...programs(ropeKv),
];
