import { HeldText, type TextRun } from './held-text.ts';
import type { CallMarkers, ReplyMarkers, ToolCall } from './reply-markers.ts';

/** A stretch of a reply. White space between a marker and what it surrounds is part of the marker. */
export type ReplyPiece =
  | (TextRun & { readonly kind: 'answer' | 'thoughts' | 'marker' })
  | { readonly kind: 'call'; readonly text: string; readonly calls: readonly ToolCall[] };

type State = 'start' | 'thoughts' | 'answer' | 'call';

/**
 * Divides a streamed reply into thoughts, answer and calls of tools. All pieces together are the reply, letter by letter,
 * and the division does not depend on how the reply is cut into deltas: text is held back while it may be the beginning
 * of a marker, or white space that belongs to one.
 *
 * A reply may end anywhere. What was not closed is thoughts up to the end; a region of calls that holds anything else, or is cut, is text.
 * An end marker whose begin marker never came is text as well: what is before it has been shown by then.
 */
export class ReplySplitter {
  readonly #markers: ReplyMarkers;
  readonly #active: Readonly<Record<State, readonly string[]>>;
  readonly #held = new HeldText();
  #state: State = 'start';
  #isFresh = false; // a marker was the last thing: white space goes with it
  #call: TextRun[] = [];
  #wrapEnd: string | undefined;

  /** @param prompt - what the reply follows; it may end with a marker, as where a template begins the thoughts itself */
  constructor(markers: ReplyMarkers, prompt = '') {
    this.#markers = markers;
    this.#active = activeMarkers(markers);
    const end = prompt.trimEnd();
    const last = longest(this.#active.start.filter((marker) => end.endsWith(marker)));
    if (last !== undefined) this.push(last + prompt.slice(end.length));
  }

  /** Whether the thoughts have begun and not ended. */
  get isThinking(): boolean {
    return this.#state === 'thoughts';
  }

  /** @param hidden - a special token that follows the text */
  push(delta: string, hidden = ''): ReplyPiece[] {
    this.#held.push(delta, false);
    this.#held.push(hidden, true);
    return this.#split(false);
  }

  /** Ends the reply: gives what was held back. */
  flush(): ReplyPiece[] {
    const pieces = this.#split(true);
    return this.#state === 'call' ? [...pieces, ...this.#endCall()] : pieces;
  }

  #split(isEnd: boolean): ReplyPiece[] {
    const pieces: ReplyPiece[] = [];
    for (;;) {
      const { end, marker } = findMarker(this.#held.text, this.#markersNow(), isEnd);
      pieces.push(...this.#say(end, isEnd && marker === undefined));
      if (marker === undefined) return pieces;
      // The text before it may have begun the answer, in which it is no marker.
      if (this.#markersNow().includes(marker)) pieces.push(...this.#pass(marker));
    }
  }

  #markersNow(): readonly string[] {
    const { open, wraps } = this.#markers;
    const active = this.#active[this.#state];
    // Where a template has begun the thoughts, some models do it once more.
    if (this.#state === 'thoughts' && this.#isFresh) return [...active, ...open];
    if (this.#state !== 'answer' || wraps.length === 0) return active;
    if (this.#wrapEnd !== undefined) return [...active, this.#wrapEnd];
    return this.#isFresh ? [...active, ...wraps.map(([begin]) => begin)] : active;
  }

  /** Settles the text before `end`, but for white space that may belong to a marker. */
  #say(end: number, isLast: boolean): ReplyPiece[] {
    if (this.#state === 'call') {
      this.#call.push(...this.#held.take(end));
      return [];
    }
    const text = this.#held.text.slice(0, end);
    const lead = this.#isFresh ? text.length - text.trimStart().length : 0;
    const pieces = this.#take(lead, 'marker');
    const body = text.slice(lead);
    if (body === '') return pieces;
    if (this.#state === 'start' && (isLast || body.trim() !== '')) this.#state = 'answer';
    const mayEnd = this.#state !== 'answer' || this.#wrapEnd !== undefined; // by a marker, which white space may precede
    const kept = mayEnd && !isLast ? body.trimEnd().length : body.length;
    if (kept > 0) this.#isFresh = false;
    pieces.push(...this.#take(kept, this.#state === 'thoughts' ? 'thoughts' : 'answer'));
    return pieces;
  }

  #take(length: number, kind: 'answer' | 'thoughts' | 'marker'): ReplyPiece[] {
    return this.#held.take(length).map((run) => ({ kind, ...run }));
  }

  /** Goes past a marker, and the white space that was kept for it, to what it begins. */
  #pass(marker: string): ReplyPiece[] {
    const { open, calls, wraps } = this.#markers;
    if (this.#state === 'call') {
      this.#call.push(...this.#held.take(marker.length));
      return this.#endCall();
    }
    const space = this.#take(this.#held.text.indexOf(marker), 'marker');
    if (calls && opensOf(calls).includes(marker)) {
      this.#state = 'call';
      this.#call = this.#held.take(marker.length);
      return space;
    }
    const isFrame = this.#markers.frame.includes(marker);
    if (open.includes(marker)) this.#state = 'thoughts';
    else if (!isFrame || this.#state === 'thoughts') this.#state = 'answer';
    this.#wrapEnd = wraps.find(([begin]) => begin === marker)?.[1];
    this.#isFresh = true;
    return [...space, ...this.#take(marker.length, 'marker')];
  }

  #endCall(): ReplyPiece[] {
    const runs = this.#call;
    const text = runs.map((run) => run.text).join('');
    const calls = this.#markers.calls?.read(text) ?? [];
    this.#call = [];
    this.#state = 'answer';
    this.#isFresh = calls.length > 0;
    return this.#isFresh ? [{ kind: 'call', text, calls }] : runs.map((run) => ({ kind: 'answer', ...run }));
  }
}

/** The markers that mean something in each part of a reply. */
function activeMarkers({ open, close, frame, isControl, calls }: ReplyMarkers): Record<State, string[]> {
  const opensCall = calls?.open ?? [];
  const all = [...open, ...close, ...frame, ...opensCall];
  return {
    start: [...all, ...(calls?.start ?? [])],
    thoughts: isControl ? all : [...close],
    answer: isControl ? all : [...opensCall],
    call: calls && calls.close !== '' ? [calls.close] : [],
  };
}

function opensOf({ open, start = [] }: CallMarkers): readonly string[] {
  return [...open, ...start];
}

/**
 * The first marker of a text.
 *
 * @returns the end of the text that is certainly none, and the marker that follows there; without one the rest is too short
 *   to say
 */
function findMarker(
  text: string,
  markers: readonly string[],
  isEnd: boolean,
): { end: number; marker?: string } {
  for (let end = 0; end < text.length; end++) {
    const rest = text.slice(end);
    if (!isEnd && markers.some((marker) => marker.length > rest.length && marker.startsWith(rest))) {
      return { end };
    }
    const marker = longest(markers.filter((each) => rest.startsWith(each)));
    if (marker !== undefined) return { end, marker };
  }
  return { end: text.length };
}

function longest(texts: readonly string[]): string | undefined {
  return texts.reduce<string | undefined>(
    (best, text) => (best === undefined || text.length > best.length ? text : best),
    undefined,
  );
}
