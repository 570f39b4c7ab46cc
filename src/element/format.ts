/** Numbers as people say them, and progress in words. */
import type { ModelPlan } from '../engine/api.ts';
import type { LoadStatus } from '../engine/load/load-status.ts';

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** 17 MB, 4.5 GB, 640 bytes: decimal units, two digits that matter. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** "6.0 MB of 17 MB"; what is missing is never rounded away. */
export function formatPart(doneBytes: number, totalBytes: number): string {
  return `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`;
}

/** The progress of a load as text, and as a fraction. */
export interface ProgressText {
  readonly text: string;
  readonly fraction: number | undefined; // 0..1; undefined: unknown
}

/** What a load is doing, honestly: bytes of bytes, rate, what is still to come. */
export function describeProgress({ fraction, ...status }: LoadStatus): ProgressText {
  return { text: describePhase(status), fraction };
}

function describePhase(status: Omit<LoadStatus, 'fraction'>): string {
  const { phase, doneBytes, totalBytes, modelBytes, doneSteps, totalSteps } = status;
  const steps = totalSteps < doneSteps ? String(doneSteps) : `${doneSteps} of ${totalSteps}`;
  switch (phase) {
    case 'planning':
      return 'Reading what the model needs…';
    case 'downloading': {
      const first = totalBytes < modelBytes ? `, ${formatBytes(totalBytes)} before the first word` : '';
      return `Downloading: ${formatPart(doneBytes, modelBytes)}${first}${describePace(status)}`;
    }
    case 'compiling':
      return `Compiling shaders: ${steps}`;
    case 'tuning':
      return `Finding the fastest kernels for this GPU: ${steps}`;
    case 'ready':
      return 'Ready';
  }
}

/** An estimate only where one is honest, and none of the last moments: those are not the network's. */
function describePace({
  doneBytes,
  totalBytes,
  bytesPerSecond,
  secondsLeft,
}: Omit<LoadStatus, 'fraction'>): string {
  if (doneBytes >= totalBytes || bytesPerSecond === undefined) return '';
  if (bytesPerSecond === 0) return '; waiting for more';
  const left =
    secondsLeft !== undefined && secondsLeft >= 2 ? `, ${aboutSeconds(secondsLeft)} of it left` : '';
  return ` at ${formatBytes(bytesPerSecond)}/s${left}`;
}

/** As people say it: "about 20 seconds". */
function aboutSeconds(seconds: number): string {
  if (seconds < 7.5) return 'a few seconds';
  if (seconds < 52.5) return `about ${5 * Math.round(seconds / 5)} seconds`;
  const [count, unit] = seconds < 3300 ? [seconds / 60, 'minute'] : [seconds / 3600, 'hour'];
  const rounded = Math.max(1, Math.round(count));
  if (rounded > 1) return `about ${rounded} ${unit}s`;
  return unit === 'hour' ? 'about an hour' : 'about a minute';
}

/** What loading will take, before it begins. */
export function describePlan(plan: ModelPlan): string {
  if (!plan.fits) return plan.why;
  const { download, gpuTotal } = plan.bytes;
  const needs = `Loading downloads ${formatBytes(download)} and needs ${formatBytes(gpuTotal)} of memory.`;
  return givesParts(plan)
    ? needs
    : `${needs} This host sends it only whole, so the first word waits for all of it.`;
}

function givesParts({ notes }: ModelPlan): boolean {
  return notes.every(({ kind }) => kind !== 'no-ranges');
}

/**
 * What has to come before the first word when experts are fetched as they are needed: the dense weights, and as many
 * experts as this many tokens use if each takes other ones at random. Real ones repeat themselves: it is rather less.
 */
export function bytesBeforeFirstToken(plan: ModelPlan, promptTokens: number): number {
  const { download, dense, allExperts, perToken } = plan.bytes;
  if (allExperts === 0 || !givesParts(plan)) return download;
  const untouched = (1 - Math.min(1, perToken / allExperts)) ** promptTokens;
  return Math.min(download, dense + allExperts * (1 - untouched));
}

/** 0.4 s, 12 s, 3 min. */
export function formatTime(ms: number): string {
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : formatSeconds(ms / 1000);
}

function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return `${Math.round(seconds / 60)} min`;
}

/** 93 %, 0.4 %; a dash where nothing was counted. */
export function formatShare(share: number): string {
  if (!Number.isFinite(share)) return '–';
  const percent = 100 * share;
  return percent > 0 && percent < 9.95 ? `${percent.toFixed(1)} %` : `${Math.round(percent)} %`;
}
