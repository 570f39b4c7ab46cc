/** How many guesses are worth fetching: by how often they were right, and by what the link has to spare. */

/** How fast running means follow. */
const RATE = 0.05;

/** Guesses count as right this often until more is known. */
const FIRST_PRECISION = 0.5;

/** On an idle link a guess that is right one time in four pays; on a busy one it displaces what is needed. */
const IDLE = { utilisation: 0.6, precision: 0.25 } as const;
const BUSY = { utilisation: 0.8, precision: 0.6 } as const;
const FULL_UTILISATION = 0.9; // no guesses above it

/** What is known of the way from the tiers to memory. */
export interface LinkState {
  readonly utilisation: number; // share of the time in which something was being read
  readonly bytesPerMs: number; // while something was; Infinity until something has been
}

/** @returns how often a guess has to be right to be worth its bytes; Infinity: none is */
export function leastPrecision({ utilisation }: Pick<LinkState, 'utilisation'>): number {
  if (utilisation > FULL_UTILISATION) return Infinity;
  if (utilisation <= IDLE.utilisation) return IDLE.precision;
  const share = (utilisation - IDLE.utilisation) / (BUSY.utilisation - IDLE.utilisation);
  return IDLE.precision + Math.min(1, share) * (BUSY.precision - IDLE.precision);
}

/** Decides how many guesses may be fetched, from how often guesses were right and how busy the link is. */
export class PrefetchBudget {
  readonly #precision: Float64Array; // [layers * ranks]
  readonly #ranks: number;
  readonly #askedMs: Float64Array; // [layer]: when its guesses were asked for; 0 where they were not
  #windowMs = 0; // from a guess to the need for it

  constructor(layers: number, ranks: number) {
    this.#ranks = ranks;
    this.#precision = new Float64Array(layers * ranks).fill(FIRST_PRECISION);
    this.#askedMs = new Float64Array(layers);
  }

  /** A layer's guesses are asked for. */
  ask(layer: number, nowMs: number): void {
    this.#askedMs[layer] = nowMs;
  }

  /** The layer has chosen. */
  need(layer: number, nowMs: number): void {
    const askedMs = this.#askedMs[layer] ?? 0;
    if (askedMs > 0) this.#windowMs += RATE * (nowMs - askedMs - this.#windowMs);
    this.#askedMs[layer] = 0;
  }

  /** A unit that was missing when it was guessed at this rank was used, or not. */
  learn(layer: number, rank: number, isUsed: boolean): void {
    const at = layer * this.#ranks + rank;
    const before = this.#precision[at] ?? 0;
    this.#precision[at] = before + RATE * (Number(isUsed) - before);
  }

  /** Whether a guess of this rank is worth its bytes. */
  isWorth(layer: number, rank: number, link: LinkState): boolean {
    return (this.#precision[layer * this.#ranks + rank] ?? 0) >= leastPrecision(link);
  }

  /** Records that the link can bring before they are needed; one at least, which is then under way at any rate. */
  most(recordBytes: number, { bytesPerMs }: LinkState): number {
    const fitting = Math.floor((this.#windowMs * bytesPerMs) / recordBytes);
    return Number.isFinite(fitting) ? Math.max(1, fitting) : Infinity;
  }
}
