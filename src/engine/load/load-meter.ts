/** Joins the events of a load into one account of it: what is being done, one total, the rate, and what is left. */
import type { LoadProgress } from '../api.ts';
import { LOAD_BEGUN, type LoadStatus } from './load-status.ts';

/** The share of the bytes; compiling has the rest. */
const BYTES_SHARE = 0.9;
/** How far back a rate looks: a line that has become slower is believed soon. */
const WINDOW_MS = 4000;
/** Where reports are rare it looks back over this many. */
const LEAST_SAMPLES = 8;
/** Reports that come together are one. */
const SAMPLE_MS = 50;
/** A rate over less time says nothing, */
const LEAST_MS = 200;
/** and an estimate needs more: so much time, so many reports, and halves of that time that agree within this factor. */
const ESTIMATE_MS = 2000;
const ESTIMATE_SAMPLES = 5;
const STEADY = 2;
/** A download that brings nothing for so long, or for so many times the longest gap before, is said to wait. */
const SILENCE_MS = 2000;
const SILENCE_GAPS = 3;

interface Sample {
  bytes: number;
  readonly atMs: number;
}

/** Hears the events of one load. */
export class LoadMeter {
  readonly #now: () => number;
  readonly #show: (status: LoadStatus, progress: LoadProgress) => void;
  readonly #samples: Sample[] = []; // on a clock that runs only while bytes come
  #clockMs = 0;
  #heardAtMs: number | undefined; // of the last report; undefined: something else was done since
  #beforeBytes = 0; // of attempts that began anew
  #heardBytes = 0; // of this attempt
  #status = LOAD_BEGUN;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  /**
   * @param now - milliseconds from any origin
   * @param show - is told of each event, and when nothing comes any more
   */
  constructor(now: () => number, show: (status: LoadStatus, progress: LoadProgress) => void) {
    this.#now = now;
    this.#show = show;
  }

  hear(progress: LoadProgress): void {
    clearTimeout(this.#silence);
    if (this.#isOver) return;
    if (progress.kind !== 'downloading') this.#heardAtMs = undefined; // this time is not the network's
    const before = this.#status;
    const next = { ...before, ...this.#heard(progress) };
    this.#status = { ...next, fraction: fractionOf(next, before.fraction) };
    this.#show(this.#status, progress);
    if (progress.kind !== 'downloading') return;
    const waits = { ...this.#status, bytesPerSecond: 0, secondsLeft: undefined };
    this.#silence = setTimeout(() => this.#show(waits, progress), this.#patienceMs());
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#silence);
  }

  #heard(progress: LoadProgress): Partial<LoadStatus> {
    const none = { doneSteps: 0, totalSteps: 0, bytesPerSecond: undefined, secondsLeft: undefined };
    const phase = progress.kind;
    switch (phase) {
      case 'downloading':
        return { ...none, phase, ...this.#download(progress) };
      case 'compiling':
        return { ...none, phase, doneSteps: progress.donePipelines, totalSteps: progress.totalPipelines };
      case 'tuning':
        return { ...none, phase, doneSteps: progress.doneKernels, totalSteps: progress.totalKernels };
      case 'planning':
        return { ...none, phase };
      case 'ready':
        return { ...none, phase, doneBytes: this.#status.totalBytes }; // headers are not among what was counted
    }
  }

  #download(progress: LoadProgress & { kind: 'downloading' }): Partial<LoadStatus> {
    // A load that was refused its memory is tried with less, and reads again.
    if (progress.doneBytes < this.#heardBytes) this.#beforeBytes += this.#heardBytes;
    this.#heardBytes = progress.doneBytes;
    const [doneBytes, totalBytes, modelBytes] = [
      progress.doneBytes,
      progress.totalBytes,
      progress.modelBytes,
    ].map((bytes) => bytes + this.#beforeBytes) as [number, number, number];
    this.#sample(doneBytes);
    const bytesPerSecond = this.#rate(0);
    const leftBytes = totalBytes - doneBytes;
    const isHonest = bytesPerSecond !== undefined && leftBytes > 0 && this.#isSteady();
    const secondsLeft = isHonest ? leftBytes / bytesPerSecond : undefined;
    return { doneBytes, totalBytes, modelBytes, bytesPerSecond, secondsLeft };
  }

  #sample(bytes: number): void {
    const nowMs = this.#now();
    this.#clockMs += nowMs - (this.#heardAtMs ?? nowMs);
    this.#heardAtMs = nowMs;
    const samples = this.#samples;
    const last = samples.at(-1);
    if (last && this.#clockMs - last.atMs < SAMPLE_MS) last.bytes = bytes;
    else samples.push({ bytes, atMs: this.#clockMs });
    const isOld = ({ atMs }: Sample): boolean => atMs < this.#clockMs - WINDOW_MS;
    while (samples.length > LEAST_SAMPLES && samples[1] && isOld(samples[1])) samples.shift();
  }

  /** Bytes per second between two samples. */
  #rate(from: number, to = this.#samples.length - 1): number | undefined {
    const [first, last] = [this.#samples[from], this.#samples[to]];
    if (!first || !last || last.atMs - first.atMs < LEAST_MS) return undefined;
    return ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000;
  }

  #isSteady(): boolean {
    const samples = this.#samples;
    const [first, last] = [samples[0], samples.at(-1)];
    if (!first || !last || samples.length < ESTIMATE_SAMPLES) return false;
    if (last.atMs - first.atMs < ESTIMATE_MS) return false;
    const middle = samples.findIndex(({ atMs }) => atMs >= (first.atMs + last.atMs) / 2);
    const halves = [this.#rate(0, middle), this.#rate(middle)].map((rate) => rate ?? 0);
    return Math.max(...halves) <= STEADY * Math.min(...halves);
  }

  #patienceMs(): number {
    const gaps = this.#samples.map(({ atMs }, index) => atMs - (this.#samples[index - 1]?.atMs ?? atMs));
    return Math.max(SILENCE_MS, SILENCE_GAPS * Math.max(...gaps));
  }
}

function fractionOf(status: LoadStatus, before: number | undefined): number | undefined {
  const { phase, doneBytes, totalBytes, doneSteps, totalSteps } = status;
  if (phase === 'ready') return 1;
  const bytes = totalBytes > 0 ? (BYTES_SHARE * doneBytes) / totalBytes : undefined;
  // Pipelines are asked for as the plan is laid: how many there will be may be known only at the end.
  const isCompiling = phase === 'compiling' && totalSteps >= doneSteps && totalSteps > 0;
  const now = isCompiling ? BYTES_SHARE + (1 - BYTES_SHARE) * (doneSteps / totalSteps) : bytes;
  return now === undefined ? before : Math.max(now, before ?? 0);
}
