/** Writes down what layers use while a model talks, as a trace that caches can be tried on. */
import type { RouteObserver } from '../streamer.ts';
import { buildTrace, type RoutingTrace, type TraceHead } from './trace.ts';

/** Records which units a model uses, as a trace for the simulator. */
export class RouteRecorder implements RouteObserver {
  readonly #uses: Uint32Array[] = []; // [layer][unit], of the prompt
  readonly #steps: number[][][] = []; // [token][layer]: units in rank order
  #tokens = 0; // of the prompt

  /** A prompt may come in several chunks: they are added up. */
  prompt(layer: number, uses: Uint32Array, tokens: number): void {
    const sum = (this.#uses[layer] ??= new Uint32Array(uses.length));
    for (const [unit, count] of uses.entries()) sum[unit] = (sum[unit] ?? 0) + count;
    if (layer === 0) this.#tokens += tokens;
  }

  token(layer: number, units: Uint32Array, count: number): void {
    if (layer === 0) this.#steps.push([]);
    const step = this.#steps.at(-1);
    if (step) step[layer] = [...units.subarray(0, count)];
  }

  /**
   * @returns the trace so far, without tokens that were stopped on the way
   * @throws {AtomoeError} bad-file - no token has been recorded
   */
  trace(head: Omit<TraceHead, 'prime' | 'warmUp'>): RoutingTrace {
    const whole = this.#steps.filter(({ length }) => length === head.layers);
    const prime = this.#uses.length === head.layers ? { tokens: this.#tokens, uses: this.#uses } : null;
    return buildTrace({ ...head, prime, warmUp: 0 }, whole);
  }
}
