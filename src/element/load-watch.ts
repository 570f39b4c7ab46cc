/** Watches a load: adds the rate of the last seconds, and says when nothing comes any more. */
import type { LoadProgress } from '../engine/api.ts';
import { ByteRate } from './byte-rate.ts';

/** A download that brings nothing for so long is said to wait. */
const SILENCE_MS = 2000;

/** Hears the progress of one load. */
export class LoadWatch {
  readonly #rate: ByteRate;
  readonly #show: (progress: LoadProgress, bytesPerSecond: number | undefined) => void;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  /**
   * @param now - milliseconds from any origin
   * @param show - is given bytes per second, too: 0 while nothing comes, undefined while it is too early to say
   */
  constructor(now: () => number, show: (progress: LoadProgress, bytesPerSecond: number | undefined) => void) {
    this.#rate = new ByteRate(now);
    this.#show = show;
  }

  hear(progress: LoadProgress): void {
    clearTimeout(this.#silence);
    if (this.#isOver) return;
    const isDownload = progress.kind === 'downloading';
    this.#show(progress, isDownload ? this.#rate.hear(progress.doneBytes) : undefined);
    if (isDownload) this.#silence = setTimeout(() => this.#show(progress, 0), SILENCE_MS);
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#silence);
  }
}
