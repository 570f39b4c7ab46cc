import { JinjaError } from './errors.ts';

/**
 * A number of zero or more with this many decimals, halves to even as Python has it. `toFixed` is exact but takes halves
 * up, and knows no more than 100 decimals.
 */
export function fixed(value: number, decimals: number): string {
  if (decimals > 100) throw new JinjaError(`${decimals} decimals are asked for, at most 100 can be had`);
  if (value >= 1e21) return BigInt(value).toString() + (decimals > 0 ? `.${'0'.repeat(decimals)}` : '');
  const up = value.toFixed(decimals);
  const exact = value.toFixed(Math.min(100, decimals + 60));
  const dot = exact.indexOf('.');
  const rest = exact.slice(dot + 1 + decimals);
  const lastDigit = Number(up.at(-1));
  const isHalf = dot >= 0 && /^50*$/.test(rest);
  if (!isHalf || lastDigit % 2 === 0) return up;
  return decimals === 0 ? (BigInt(up) - 1n).toString() : exact.slice(0, dot + 1 + decimals);
}

/** round(): to even, at this many decimals; negative ones round tens and hundreds. */
export function rounded(value: number, decimals: number): number {
  if (!Number.isFinite(value)) return value;
  if (decimals < 0) {
    const unit = 10 ** Math.min(-decimals, 308);
    return Number(fixed(Math.abs(value) / unit, 0)) * unit * Math.sign(value);
  }
  if (decimals > 100) return value;
  const size = Number(fixed(Math.abs(value), decimals));
  return value < 0 || Object.is(value, -0) ? -size : size;
}
