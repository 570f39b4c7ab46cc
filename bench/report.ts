/** How results are written down: numbers for machines, tables for people. */
import type { Measured } from './stats.ts';

/** What one part of the bench gives. */
export interface PartResult {
  readonly markdown: string;
  readonly results: unknown; // JSON
}

/** A line of progress on the terminal. */
export function say(line: string): void {
  console.log(`bench: ${line}`);
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  const align = head.map((_, column) => (column === 0 ? '---' : '--:'));
  return [line(head), line(align), ...rows.map(line)].join('\n');
}

/** Three significant digits, without exponents in the usual range. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return size >= 1 ? value.toFixed(2) : value.toPrecision(3);
}

export function percent(fraction: number): string {
  return Number.isFinite(fraction) ? `${digits(100 * fraction)} %` : '–';
}

/** `12.3 ± 4 % (n 5)` */
export function withNoise({ median, noise, n }: Measured): string {
  return `${digits(median)} ± ${(100 * noise).toFixed(0)} % (n ${n})`;
}
