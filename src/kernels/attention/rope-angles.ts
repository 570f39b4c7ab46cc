/** Values of `style`, the pairing of rotated dimensions: `half` (i, i + rotaryDim / 2), `pair` (2i, 2i + 1). */
export const ROPE_STYLES = { half: 0, pair: 1 } as const;

/** Scaling of rotary frequencies for contexts longer than in training. */
export type RopeScaling =
  | { readonly kind: 'linear'; readonly factor: number }
  | FactorsScaling
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalPositions: number;
    }
  | {
      readonly kind: 'yarn';
      readonly factor: number;
      readonly originalPositions: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly truncate: boolean;
      readonly amplitude: number; // factor on cos and sin
    };

/** The frequency of each pair is divided by its factor. */
export interface FactorsScaling extends ScalingFactors {
  readonly kind: 'factors';
  /** In longer contexts than `positions`, others (LongRoPE). */
  readonly beyond?: ScalingFactors & { readonly positions: number };
}

/** Factors of the pairs [rotaryDim / 2]; pairs of infinite ones do not turn. */
export interface ScalingFactors {
  readonly factors: readonly number[];
  readonly amplitude?: number; // factor on cos and sin; default: 1
}

/** Parameters of rotary embeddings (RoFormer, Su et al. 2021), with the scalings of Llama 3, YaRN (Peng et al. 2023) and LongRoPE (Ding et al. 2024). */
export interface RopeAngles {
  readonly theta: number;
  readonly rotaryDim: number; // even; 0: no rotation
  readonly positions: number;
  readonly scaling?: RopeScaling | undefined;
}

/** The table [positions, rotaryDim / 2, (cos, sin)] that `rope-kv` reads: computed in f64, rounded once. */
export function ropeAngles({ theta, rotaryDim, positions, scaling }: RopeAngles): Float32Array<ArrayBuffer> {
  const pairs = rotaryDim / 2;
  const frequencies = ropeFrequencies(theta, rotaryDim, scaling, positions);
  const amplitude = amplitudeOf(scaling, positions);
  const table = new Float32Array(positions * rotaryDim);
  for (let position = 0; position < positions; position += 1) {
    for (let pair = 0; pair < pairs; pair += 1) {
      const angle = position * (frequencies[pair] ?? 0);
      const at = position * rotaryDim + 2 * pair;
      table[at] = amplitude * Math.cos(angle);
      table[at + 1] = amplitude * Math.sin(angle);
    }
  }
  return table;
}

/** The factor on cos and sin. */
function amplitudeOf(scaling: RopeScaling | undefined, positions: number): number {
  if (scaling?.kind === 'yarn') return scaling.amplitude;
  return scaling?.kind === 'factors' ? (factorsFor(scaling, positions).amplitude ?? 1) : 1;
}

/**
 * Transformers chooses by the length of each step, after which earlier keys have other angles than later ones. Here all
 * positions of a context have the angles of its length, so that a session gives the same results in one step or in many.
 */
function factorsFor(scaling: FactorsScaling, positions: number): ScalingFactors {
  const { beyond } = scaling;
  return beyond && positions > beyond.positions ? beyond : scaling;
}

/**
 * Radians per position of each pair: theta^(-2i / rotaryDim), scaled.
 *
 * @param positions - length of the context, on which LongRoPE depends
 */
export function ropeFrequencies(
  theta: number,
  rotaryDim: number,
  scaling?: RopeScaling,
  positions = 0,
): Float64Array {
  return Float64Array.from({ length: rotaryDim / 2 }, (_, pair) => {
    const frequency = theta ** ((-2 * pair) / rotaryDim);
    if (!scaling) return frequency;
    if (scaling.kind === 'linear') return frequency / scaling.factor;
    if (scaling.kind === 'factors') return frequency / (factorsFor(scaling, positions).factors[pair] ?? 1);
    const kept =
      scaling.kind === 'llama3'
        ? llama3UnscaledShare(frequency, scaling)
        : yarnUnscaledShare(pair, theta, rotaryDim, scaling);
    return frequency * (kept + (1 - kept) / scaling.factor);
  });
}

type ScalingOf<K extends RopeScaling['kind']> = Extract<RopeScaling, { kind: K }>;

/** Unscaled share of a frequency, 0..1: 1 for high frequencies, 0 for low ones, linear between. */
function llama3UnscaledShare(frequency: number, scaling: ScalingOf<'llama3'>): number {
  const turns = (scaling.originalPositions * frequency) / (2 * Math.PI); // within the trained length
  const { lowFrequencyFactor: low, highFrequencyFactor: high } = scaling;
  return clamp((turns - low) / (high - low), 0, 1);
}

function yarnUnscaledShare(
  pair: number,
  theta: number,
  rotaryDim: number,
  scaling: ScalingOf<'yarn'>,
): number {
  /** The (fractional) index of the pair that makes this many turns within the trained length. */
  const pairOfTurns = (turns: number) =>
    (rotaryDim * Math.log(scaling.originalPositions / (2 * Math.PI * turns))) / (2 * Math.log(theta));
  let low = pairOfTurns(scaling.betaFast);
  let high = pairOfTurns(scaling.betaSlow);
  if (scaling.truncate) [low, high] = [Math.floor(low), Math.ceil(high)];
  low = Math.max(low, 0);
  high = Math.min(high, rotaryDim - 1);
  return 1 - clamp((pair - low) / Math.max(high - low, 0.001), 0, 1); // 0.001: a step function if both ends are equal
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
