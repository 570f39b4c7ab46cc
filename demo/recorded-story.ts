/** The story that is told before anything is downloaded: a recording of a real run, played slowly enough to be read. */
import type { ExpertsElement } from '../src/element/index.ts';
import { routesAt, type Recording } from './recording/recording.ts';
import type { StoryView } from './story-view.ts';

export interface RecordedParts {
  readonly story: HTMLElement;
  readonly line: HTMLElement; // what is said of the recording
  readonly caption: HTMLElement;
  readonly button: HTMLButtonElement; // pause, go on, play again
  readonly hint: HTMLElement; // how to run the model here
}

/** At this pace a story can be read along. */
const SHOWN_MS_PER_TOKEN = 95;

/** A page that was not painted for longer than this did not play meanwhile. */
const MOST_FRAME_MS = 100;

export class RecordedStory {
  readonly #parts: RecordedParts;
  readonly #recording: Recording;
  readonly #view: StoryView;
  readonly #experts: ExpertsElement;
  readonly #slower: number; // times slower than it was told
  #frame = 0; // 0: not playing
  #lastMs = 0;
  #playedMs = 0; // of the recorded run
  #next = 0; // token

  constructor(parts: RecordedParts, recording: Recording, view: StoryView, experts: ExpertsElement) {
    this.#parts = parts;
    this.#recording = recording;
    this.#view = view;
    this.#experts = experts;
    const { atMs } = recording;
    this.#slower = (SHOWN_MS_PER_TOKEN * atMs.length) / (atMs.at(-1) ?? 1);
    parts.button.addEventListener('click', () => this.#press());
  }

  /** Whether the recording has the stage. */
  get isShown(): boolean {
    return 'recording' in this.#parts.story.dataset;
  }

  /** Begins to play; with reduced motion all of it is there at once. */
  play(): void {
    const { story, line, caption, hint } = this.#parts;
    story.dataset['recording'] = '';
    line.hidden = hint.hidden = false;
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    caption.textContent = describe(this.#recording, isCalm ? undefined : this.#slower);
    this.#experts.reset(this.#recording.experts, this.#recording.expertsPerToken);
    this.#view.begin(this.#recording.prompt);
    this.#playedMs = this.#next = 0;
    if (isCalm) this.#add(Infinity);
    else this.#resume();
  }

  /** The stage is needed for something else. */
  leave(): void {
    this.pause();
    const { story, line, hint } = this.#parts;
    delete story.dataset['recording'];
    line.hidden = hint.hidden = true;
  }

  #press(): void {
    if (this.#frame) this.pause();
    else if (this.#isOver) this.play();
    else this.#resume();
  }

  get #isOver(): boolean {
    return this.#next >= this.#recording.texts.length;
  }

  #resume(): void {
    this.#lastMs = performance.now();
    this.#frame = requestAnimationFrame((nowMs) => this.#tick(nowMs));
    this.#name();
  }

  pause(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#name();
  }

  #tick(nowMs: number): void {
    this.#playedMs += Math.min(MOST_FRAME_MS, Math.max(0, nowMs - this.#lastMs)) / this.#slower;
    this.#lastMs = nowMs;
    this.#add(this.#playedMs);
    if (!this.#isOver) this.#frame = requestAnimationFrame((laterMs) => this.#tick(laterMs));
  }

  /** Shows all tokens that were there by a time of the run. */
  #add(untilMs: number): void {
    const { texts, atMs } = this.#recording;
    for (; !this.#isOver && (atMs[this.#next] ?? 0) <= untilMs; this.#next++) {
      const routes = routesAt(this.#recording, this.#next);
      this.#view.add(this.#experts.addToken(texts[this.#next] ?? '', routes));
    }
    if (!this.#isOver) return;
    this.#view.flush();
    this.#experts.settle();
    this.pause();
  }

  #name(): void {
    const name = this.#frame ? 'Pause' : this.#isOver ? 'Play again' : 'Go on';
    if (this.#parts.button.textContent !== name) this.#parts.button.textContent = name;
  }
}

/** @param slower - how many times slower it is shown; undefined: it is shown at once */
function describe({ atMs }: Recording, slower: number | undefined): string {
  const told = `${((atMs.at(-1) ?? 0) / 1000).toFixed(2)} s on one CPU thread`;
  return slower === undefined ? `${told}.` : `${told}, shown ${Math.round(slower)} × slower.`;
}
