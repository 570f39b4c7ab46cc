/**
 * How many layers to submit before it is known whether their experts are there. A right guess hides the way to the CPU
 * and back, a wrong one costs the layers that were run in vain: the queue is in order, and has to get through them.
 */

const RATE = 0.05; // how fast means follow what happens

/** Once in this many tokens nothing is run ahead, to see what a layer costs by now. */
const PROBE_EVERY = 32;

/** Decides how many layers are submitted before their experts are known to be present. */
export class RunAhead {
  #share = 0; // of layers that found all their experts
  #layerMs = 0; // of the GPU, for the commands between two choices of experts
  #roundTripMs: number | undefined;

  get isMeasured(): boolean {
    return this.#roundTripMs !== undefined;
  }

  /** @param ms - from an empty submission to its answer */
  measured(ms: number): void {
    this.#roundTripMs = ms;
  }

  /** A layer's choice was waited for so long, with nothing submitted behind it. */
  waited(ms: number): void {
    const layerMs = Math.max(0, ms - (this.#roundTripMs ?? 0));
    this.#layerMs += (this.#layerMs === 0 ? 1 : RATE) * (layerMs - this.#layerMs);
  }

  /** A layer found all its experts, or did not. */
  verified(isReady: boolean): void {
    this.#share += RATE * (Number(isReady) - this.#share);
  }

  /**
   * With a share q of layers that find everything, a layer costs c and the way there and back R: running d layers ahead
   * gains q R and loses (1 - q) c d for each layer, so it pays while d < q R / ((1 - q) c).
   */
  depth(layers: number, token: number): number {
    if (token % PROBE_EVERY === 1) return 0;
    const lossMs = (1 - this.#share) * this.#layerMs;
    const gainMs = this.#share * (this.#roundTripMs ?? 0);
    return lossMs * layers <= gainMs ? layers : Math.floor(gainMs / lossMs);
  }
}
