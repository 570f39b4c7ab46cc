/** Numbers as people say them, and progress in words. */
import type { LoadProgress, ModelPlan } from '../engine/api.ts';

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
export function describeProgress(progress: LoadProgress, bytesPerSecond: number | undefined): ProgressText {
  switch (progress.kind) {
    case 'planning':
      return { text: 'Reading what the model needs…', fraction: undefined };
    case 'downloading': {
      const { doneBytes, totalBytes, modelBytes } = progress;
      const first = totalBytes < modelBytes ? `, ${formatBytes(totalBytes)} before the first word` : '';
      const pace = describePace(totalBytes - doneBytes, bytesPerSecond);
      const text = `Downloading: ${formatPart(doneBytes, modelBytes)}${first}${pace}`;
      return { text, fraction: totalBytes > 0 ? doneBytes / totalBytes : undefined };
    }
    case 'compiling': {
      const { donePipelines, totalPipelines } = progress;
      // Pipelines are asked for as the plan is laid, so how many there will be is known only at the end.
      if (totalPipelines < donePipelines)
        return { text: `Compiling shaders: ${donePipelines}`, fraction: undefined };
      const text = `Compiling shaders: ${donePipelines} of ${totalPipelines}`;
      return { text, fraction: totalPipelines > 0 ? donePipelines / totalPipelines : undefined };
    }
    case 'tuning': {
      const { doneKernels, totalKernels } = progress;
      const text = `Finding the fastest kernels for this GPU: ${doneKernels} of ${totalKernels}`;
      return { text, fraction: totalKernels > 0 ? doneKernels / totalKernels : undefined };
    }
    case 'ready':
      return { text: 'Ready', fraction: 1 };
  }
}

/** An estimate only while bytes come, and none of the last moments: those are not the network's. */
function describePace(leftBytes: number, bytesPerSecond: number | undefined): string {
  if (leftBytes <= 0 || bytesPerSecond === undefined) return '';
  if (bytesPerSecond === 0) return '; waiting for more';
  const leftSeconds = leftBytes / bytesPerSecond;
  const left = leftSeconds >= 2 ? `, ${formatSeconds(leftSeconds)} to go` : '';
  return ` at ${formatBytes(bytesPerSecond)}/s${left}`;
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
