import type { CaseResult } from './cases.ts';
import { runDeviceCases } from './device.ts';

/** Read by scripts/firefox-lane.mjs, which calls the groups in this order. */
const laneGroups: Record<string, () => Promise<CaseResult[]>> = {
  device: runDeviceCases,
};

Object.assign(globalThis, { laneGroups });
