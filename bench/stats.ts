/** Statistics of timings: medians and quartiles, since machines hiccup and means remember it. */

export function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

/** The value below which a fraction of the values lie, interpolated. */
export function quantile(values: readonly number[], fraction: number): number {
  const list = sorted(values);
  if (list.length === 0) return NaN;
  const at = fraction * (list.length - 1);
  const low = list[Math.floor(at)] ?? NaN;
  const high = list[Math.ceil(at)] ?? NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** What is reported of repeated measurements. */
export interface Measured {
  readonly median: number;
  readonly noise: number; // half the distance between the quartiles, over the median
  readonly n: number;
}

export function measured(values: readonly number[]): Measured {
  const middle = median(values);
  const spread = (quantile(values, 0.75) - quantile(values, 0.25)) / 2;
  return { median: middle, noise: spread / middle, n: values.length };
}

/** Slope of the least-squares line through (log x, log y). */
export function logLogSlope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const xs = points.map(({ x }) => Math.log(x));
  const ys = points.map(({ y }) => Math.log(y));
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
  const mx = mean(xs);
  const my = mean(ys);
  let over = 0;
  let under = 0;
  for (const [i, x] of xs.entries()) {
    over += (x - mx) * ((ys[i] ?? 0) - my);
    under += (x - mx) ** 2;
  }
  return over / under;
}

/** Root mean square of a - b over that of b. */
export function relativeRms(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`);
  let error = 0;
  let power = 0;
  for (let i = 0; i < b.length; i += 1) {
    error += (a[i]! - b[i]!) ** 2;
    power += b[i]! ** 2;
  }
  return Math.sqrt(error / power);
}
