/** Sizes of the fused projection, the rotation, and the norm before or after it. */
export interface RopeKvOptions {
  readonly tokens: number;
  readonly past: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly rotaryDim: number;
  readonly style: 'half' | 'pair';
  readonly norm: 'none' | 'head' | 'headAndValue' | 'vector' | 'rotated';
  readonly eps: number;
  readonly clip?: number; // bound of q, k and v before the rotation; 0, the default: none
}

/**
 * q, k, v = split(qkv[t]); q, k = rotate(rms(q), rms(k)) by the angles of position past + t; with norm `rotated`,
 * rms(rotate(q), rotate(k)); with norm `headAndValue`, v = rms(v), too; with `clip`, elements are clamped to +-clip before the rotation
 *
 * qkv [tokens, (heads + 2 * kvHeads) * headDim], angles [positions, rotaryDim / 2, (cos, sin)], gains [headDim], or
 * [heads * headDim] and [kvHeads * headDim] for a norm over the whole vector; empty without a norm
 * -> q [tokens, heads, headDim], k and v [tokens, kvHeads, headDim]: the cache's rows from `past` on
 */
export function ropeKvReference(
  qkv: Float32Array,
  angles: Float32Array,
  qGain: Float32Array,
  kGain: Float32Array,
  options: RopeKvOptions,
): { q: Float32Array<ArrayBuffer>; k: Float32Array<ArrayBuffer>; v: Float32Array<ArrayBuffer> } {
  const { tokens, past, heads, kvHeads, headDim } = options;
  const queries = heads * headDim;
  const keys = kvHeads * headDim;
  const q = new Float32Array(tokens * queries);
  const k = new Float32Array(tokens * keys);
  const v = new Float32Array(tokens * keys);
  for (let t = 0; t < tokens; t += 1) {
    const row = t * (queries + 2 * keys);
    const turns = angles.subarray((past + t) * options.rotaryDim);
    q.set(normaliseAndRotate(qkv.subarray(row, row + queries), qGain, turns, options), t * queries);
    k.set(
      normaliseAndRotate(qkv.subarray(row + queries, row + queries + keys), kGain, turns, options),
      t * keys,
    );
    const values = Float64Array.from(qkv.subarray(row + queries + keys, row + queries + 2 * keys));
    if (options.norm === 'headAndValue') normalise(values, new Float32Array(headDim).fill(1), options);
    clamp(values, options);
    v.set(values, t * keys);
  }
  return { q, k, v };
}

/** The heads of one token, normalised and rotated in the order of the norm. */
function normaliseAndRotate(
  x: Float32Array,
  gain: Float32Array,
  turns: Float32Array,
  options: RopeKvOptions,
): Float64Array {
  const { norm } = options;
  const y = Float64Array.from(x);
  if (norm === 'head' || norm === 'headAndValue' || norm === 'vector') normalise(y, gain, options);
  clamp(y, options);
  rotate(y, turns, options);
  if (norm === 'rotated') normalise(y, gain, options);
  return y;
}

function clamp(y: Float64Array, { clip = 0 }: RopeKvOptions): void {
  if (clip > 0) y.forEach((value, i) => (y[i] = Math.min(Math.max(value, -clip), clip)));
}

function normalise(y: Float64Array, gain: Float32Array, { headDim, norm, eps }: RopeKvOptions): void {
  const length = norm === 'vector' ? y.length : headDim;
  for (let base = 0; base < y.length; base += length) {
    let squares = 0;
    for (let i = 0; i < length; i += 1) squares += y[base + i]! ** 2;
    const factor = 1 / Math.sqrt(squares / length + eps);
    for (let i = 0; i < length; i += 1) y[base + i] = y[base + i]! * factor * gain[i]!;
  }
}

function rotate(y: Float64Array, turns: Float32Array, { headDim, rotaryDim, style }: RopeKvOptions): void {
  const pairs = rotaryDim / 2;
  for (let base = 0; base < y.length; base += headDim) {
    for (let i = 0; i < pairs; i += 1) {
      const first = base + (style === 'half' ? i : 2 * i);
      const second = base + (style === 'half' ? i + pairs : 2 * i + 1);
      const [a, b, cos, sin] = [y[first]!, y[second]!, turns[2 * i]!, turns[2 * i + 1]!];
      y[first] = a * cos - b * sin;
      y[second] = b * cos + a * sin;
    }
  }
}
