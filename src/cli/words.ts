import { printable } from '../errors.ts';

/** Numbers and tables as people read them. */

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** `17.1 MB`: powers of 1000, as disks and downloads count. */
export function formatBytes(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toPrecision(3)} ${UNITS[step] ?? ''}`;
}

/** `1,234,567` */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** Milliseconds below a second, else seconds. */
export function formatSeconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

/** Tokens per second. */
export function formatRate(perSecond: number): string {
  return `${perSecond >= 100 ? Math.round(perSecond) : perSecond.toFixed(1)} tok/s`;
}

/** On which side a column is aligned. */
export type Align = 'left' | 'right';

/**
 * Rows of cells in columns, two spaces apart. Columns are aligned to the left unless `aligns` says otherwise. A cell may
 * hold a name from a model's file: it stays on its line.
 */
export function table(cells: readonly (readonly string[])[], aligns: readonly Align[] = []): string {
  const rows = cells.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return aligns[column] === 'right' ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}

/** `name   value` lines. */
export function facts(pairs: readonly (readonly [name: string, value: string])[]): string {
  return table(pairs);
}

/** The middle of the values, or the mean of the two middle ones; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
