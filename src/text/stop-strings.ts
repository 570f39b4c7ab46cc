import { AtomoeError } from '../errors.ts';
import { HeldText, shownText } from './held-text.ts';

/** The text that may be emitted now, and whether a stop string has ended it. */
export type StopResult = { stopped: false; emit: string } | { stopped: true; emit: string; stop: string }; // emit ends where the stop string began

/**
 * Ends a streamed text at the first of some strings. Text is held back only while it may be the beginning of one, so
 * a stop string never shows, not even its first letter, however the text is cut into deltas. A stop string may be or
 * hold special tokens, which are no part of the text that is shown: they come in as hidden.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = new HeldText();
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

  /**
   * @param hidden - a special token that follows the text
   * @returns the text that may be shown now. After a stop nothing more is.
   */
  push(delta: string, hidden = ''): StopResult {
    if (this.#hasStopped) return { stopped: false, emit: '' };
    this.#held.push(delta, false);
    this.#held.push(hidden, true);
    const { text } = this.#held;
    const match = this.#firstMatch(text);
    if (match) {
      const emit = this.#release(match.start);
      this.#held = new HeldText();
      this.#hasStopped = true;
      return { stopped: true, emit, stop: match.stop };
    }
    return { stopped: false, emit: this.#release(text.length - this.#openPrefix(text)) };
  }

  /** Ends the text: gives what was held back for a stop string that never came. */
  flush(): string {
    return this.#release(this.#held.text.length);
  }

  #release(length: number): string {
    return shownText(this.#held.take(length));
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
