import { AtomoeError } from '../errors.ts';

/** The text that may be emitted now, and whether a stop string has ended it. */
export type StopResult = { stopped: false; emit: string } | { stopped: true; emit: string; stop: string }; // emit ends where the stop string began

/**
 * Ends a streamed text at the first of some strings. Text is held back only while it may be the beginning of one, so
 * a stop string never shows, not even its first letter, however the text is cut into deltas. A stop string may be or
 * hold special tokens, which are no part of the text that is shown: they come in as hidden.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';
  #isHidden: boolean[] = []; // of each letter of #held
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
    const text = this.#held + delta + hidden;
    for (const [part, isHidden] of [
      [delta, false],
      [hidden, true],
    ] as const) {
      for (let i = 0; i < part.length; i++) this.#isHidden.push(isHidden);
    }
    this.#held = text;
    const match = this.#firstMatch(text);
    if (match) {
      const emit = this.#release(match.start);
      this.#held = '';
      this.#hasStopped = true;
      return { stopped: true, emit, stop: match.stop };
    }
    return { stopped: false, emit: this.#release(text.length - this.#openPrefix(text)) };
  }

  /** Ends the text: gives what was held back for a stop string that never came. */
  flush(): string {
    return this.#release(this.#held.length);
  }

  /** Lets go of the first letters of what is held; what is hidden among them does not show. */
  #release(length: number): string {
    const text = this.#held.slice(0, length);
    const isHidden = this.#isHidden.splice(0, length);
    this.#held = this.#held.slice(length);
    if (!isHidden.includes(true)) return text;
    return isHidden.map((hides, i) => (hides ? '' : text.charAt(i))).join('');
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
