/** Eviction policies: each gives the units of one layer a score, and the resident unit with the lowest gives way. */

/** What a policy knows of its layer. */
export interface PolicyShape {
  readonly units: number;
  readonly topK: number; // units of one token at most
  readonly layer: number; // so that seeded policies differ from layer to layer
  readonly seed: number; // of policies that draw
}

/** The policy of one layer. All calls of a step come in order: `expect`, `begin`, then `use` for each unit, hits first. */
export interface Policy {
  /**
   * A step is about to begin, or a prompt: `uses[unit]` of the next `LOOKAHEAD_TOKENS` tokens, those that begin included, will use the
   * unit, as far as their routes are known. Not called for policies without it, and `uses` is the caller's.
   */
  expect?(uses: Uint32Array): void;
  /** A step begins; `units[0..count)` are what it uses, in rank order, each once. */
  begin(units: Uint32Array, count: number): void;
  /** The unit was found resident, or was loaded. Hits come before loads. */
  use(unit: number): void;
  /** Many tokens at once: `uses[unit]` of `tokens` tokens used it. Replaces as many steps. */
  observe(uses: Uint32Array, tokens: number): void;
  /** Finite; lowest goes first, and equal scores fall back on the lowest place. A use only changes its own unit's. */
  score(unit: number): number;
}

/** Makes the policy of one layer. */
export type MakePolicy = (shape: PolicyShape) => Policy;

/** Evicts what was used longest ago. */
export function lru(): MakePolicy {
  return ({ units }) => {
    const recency = new Recency(units);
    return {
      begin() {},
      use: (unit) => recency.use(unit),
      observe: (uses) => recency.observe(uses),
      score: (unit) => at(recency.stamps, unit),
    };
  };
}

const STAMPS = 2 ** 32; // above every stamp, so that counts decide first

/** Tokens of which `segmentLookahead` counts the uses, the current one included. */
export const LOOKAHEAD_TOKENS = 16;

/**
 * Evicts what the next `LOOKAHEAD_TOKENS` tokens use least often; of those used as often, what was used longest ago (the cache of SCH,
 * arXiv:2505.16056, with places of each layer's own). Where no routes are known it is `lru`.
 */
export function segmentLookahead(): MakePolicy {
  return (shape) => {
    const past = lru()(shape);
    let expected: ArrayLike<number> = [];
    return {
      ...past,
      expect: (uses) => void (expected = uses.slice()),
      score: (unit) => at(expected, unit) * STAMPS + past.score(unit),
    };
  };
}

/** Evicts what was used least often since the beginning, resident or not; of those, what was used longest ago. */
export function lfu(): MakePolicy {
  return ({ units }) => {
    const counts = new Counts(units);
    const recency = new Recency(units);
    return {
      begin: (used, count) => counts.begin(used, count),
      use: (unit) => recency.use(unit),
      observe(uses) {
        counts.observe(uses);
        recency.observe(uses);
      },
      score: (unit) => at(counts.values, unit) * STAMPS + at(recency.stamps, unit),
    };
  };
}

/**
 * Evicts the lowest frequency by age: a unit's uses since the beginning / all uses of the layer since its last one,
 * those of the current token included.
 */
export function lfru(): MakePolicy {
  return ({ units }) => {
    const counts = new Counts(units);
    const recency = new Recency(units);
    let now = 1; // above the stamps of all units but the current token's last
    return {
      begin(used, count) {
        counts.begin(used, count);
        now = recency.clock + Math.max(1, count);
      },
      use: (unit) => recency.use(unit),
      observe(uses) {
        counts.observe(uses);
        recency.observe(uses);
        now = recency.clock + 1;
      },
      score: (unit) => at(counts.values, unit) / Math.max(1, now - at(recency.stamps, unit)),
    };
  };
}

/** How fast old uses fade: faster where a token uses few experts, which replays of public routing traces favour. */
export function defaultAlpha(topK: number): number {
  return topK <= 2 ? 0.05 : 0.02;
}

const LARGE = 2 ** 512; // far enough from both ends of what a double holds

/**
 * Evicts the lowest running mean of use, `ema = (1 - alpha) * ema + alpha * used`.
 *
 * Instead of fading all means at each step, what a use adds grows: a step costs as much as its uses. Where all means
 * start from does not change their order, so they start from 0.
 */
export function ema(alpha?: number): MakePolicy {
  return ({ units, topK }) => {
    const rate = alpha ?? defaultAlpha(topK);
    const sums = new Float64Array(units); // mean * scale
    let scale = 1;
    return {
      begin(used, count) {
        scale /= 1 - rate;
        for (let rank = 0; rank < count; rank += 1) {
          const unit = at(used, rank);
          sums[unit] = at(sums, unit) + rate * scale;
        }
        if (scale < LARGE) return;
        for (let unit = 0; unit < units; unit += 1) sums[unit] = at(sums, unit) / scale;
        scale = 1;
      },
      use() {},
      observe(uses, tokens) {
        const kept = (1 - rate) ** tokens;
        for (let unit = 0; unit < units; unit += 1)
          sums[unit] = (at(sums, unit) / scale) * kept + (1 - kept) * (at(uses, unit) / tokens);
        scale = 1;
      },
      score: (unit) => at(sums, unit),
    };
  };
}

/**
 * Evicts any unit, all with the same chance: for tests, and as the floor of comparisons.
 *
 * @param ownSeed - instead of the shape's
 */
export function random(ownSeed?: number): MakePolicy {
  return ({ layer, seed }) => {
    const stream = scramble(scramble(ownSeed ?? seed) + layer);
    let step = 0;
    let state = stream;
    const advance = () => (state = scramble(stream + ++step));
    return {
      begin: () => void advance(),
      use() {},
      observe: () => void advance(),
      score: (unit) => scramble(state + unit),
    };
  };
}

/** A whole number below 2^32, by all bits of another (the finaliser of MurmurHash3, public domain). */
function scramble(value: number): number {
  let bits = value + 0x9e3779b9; // zero would stay zero
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** When each unit was used last, on a clock that counts uses. */
class Recency {
  readonly stamps: Float64Array; // by unit; 0 is never
  clock = 0;

  constructor(units: number) {
    this.stamps = new Float64Array(units);
  }

  use(unit: number): void {
    this.clock += 1;
    this.stamps[unit] = this.clock;
  }

  /** Among the units of a prompt, the more often used counts as the more recent. */
  observe(uses: Uint32Array): void {
    const order = [...uses.keys()].filter((unit) => uses[unit]).sort((a, b) => at(uses, a) - at(uses, b));
    for (const unit of order) this.use(unit);
  }
}

/** How often each unit was used. */
class Counts {
  readonly values: Float64Array; // by unit

  constructor(units: number) {
    this.values = new Float64Array(units);
  }

  begin(used: Uint32Array, count: number): void {
    for (let rank = 0; rank < count; rank += 1) {
      const unit = at(used, rank);
      this.values[unit] = at(this.values, unit) + 1;
    }
  }

  observe(uses: Uint32Array): void {
    for (let unit = 0; unit < uses.length; unit += 1)
      this.values[unit] = at(this.values, unit) + at(uses, unit);
  }
}

function at(values: { readonly [index: number]: number }, index: number): number {
  return values[index] ?? 0;
}
