import { AtomoeError } from '../errors.ts';

export type StopResult = { stopped: false; emit: string } | { stopped: true; emit: string; stop: string }; // emit ends where the stop string began

/**
 * Ends a streamed text at the first of some strings. Text is held back only while it may be the beginning of one, so
 * a stop string never shows, not even its first letter, however the text is cut into deltas.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';
  #hasStopped = false;

  /** @throws {AtomoeError} bad-input - an empty stop string */
  constructor(stops: readonly string[]) {
    if (stops.includes('')) {
      throw new AtomoeError(
        'bad-input',
        'a stop string is empty, at least one character is wanted; leave it out',
      );
    }
    this.#stops = stops;
  }

  /** @returns the text that may be shown now. After a stop nothing more is. */
  push(delta: string): StopResult {
    if (this.#hasStopped) return { stopped: false, emit: '' };
    const text = this.#held + delta;
    const match = this.#firstMatch(text);
    if (match) {
      this.#held = '';
      this.#hasStopped = true;
      return { stopped: true, emit: text.slice(0, match.start), stop: match.stop };
    }
    const safe = text.length - this.#openPrefix(text);
    this.#held = text.slice(safe);
    return { stopped: false, emit: text.slice(0, safe) };
  }

  /** Ends the text: gives what was held back for a stop string that never came. */
  flush(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }

  /** The stop string that is complete first; of those that end together, the longest. Deltas do not matter then. */
  #firstMatch(text: string): { start: number; stop: string } | undefined {
    let best: { start: number; end: number; stop: string } | undefined;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      const end = start + stop.length;
      if (start < 0 || (best && (end > best.end || (end === best.end && start > best.start)))) continue;
      best = { start, end, stop };
    }
    return best;
  }

  /** Length of the longest end of the text that begins some stop string. */
  #openPrefix(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
