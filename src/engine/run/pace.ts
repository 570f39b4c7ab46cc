/** How long commands may keep a GPU busy: by what they have to compute, and by how quickly it did so before. */
import type { AdapterClass } from '../../gpu/adapter-class.ts';
import type { Command } from '../../gpu/recorder.ts';
import { MAX_MULTIPLY_ADDS } from '../../graph/pieces.ts';

/** What one submission aims at, so that an abort waits for little and the system's watchdog for nothing. */
const SUBMISSION_MS = 100;

/** What a dispatch takes beside its multiply-adds, in these. */
const DISPATCH_WORK = 2 ** 19;

/** Multiply-adds in a submission before anything is known: a tenth of a second or less of a slow device of its class. */
const FIRST_WORK: Readonly<Record<AdapterClass, number>> = {
  hardware: MAX_MULTIPLY_ADDS,
  software: 2 ** 27,
};

/** What is slower counts at once; what is quicker counts half, until it has lasted for a few chunks. */
const NEWS = 0.5;

/** Measures how fast the device works, in multiply-adds a millisecond, and cuts steps into submissions accordingly. */
export class Pace {
  #workPerMs: number;
  #isMeasured = false;

  constructor(adapterClass: AdapterClass) {
    this.#workPerMs = FIRST_WORK[adapterClass] / SUBMISSION_MS;
  }

  /** Multiply-adds that a submission, and any dispatch in it, may take. */
  get mostWork(): number {
    return this.#workPerMs * SUBMISSION_MS;
  }

  /** Cuts commands into submissions. */
  slices(commands: readonly Command[]): Command[][] {
    const slices: Command[][] = [];
    let left = 0;
    for (const command of commands) {
      const work = workOf(command);
      const open = slices.at(-1);
      if (open && work <= left) open.push(command);
      else {
        slices.push([command]);
        left = this.mostWork;
      }
      left -= work;
    }
    return slices;
  }

  /** Learns from commands that took the GPU so long. */
  took(commands: readonly Command[], ms: number): void {
    const work = commands.reduce((sum, command) => sum + workOf(command), 0);
    const found = work / Math.max(1, ms);
    const isNews = !this.#isMeasured || found < this.#workPerMs;
    this.#workPerMs = isNews ? found : this.#workPerMs + NEWS * (found - this.#workPerMs);
    this.#isMeasured = true;
  }
}

function workOf({ work = 0 }: Command): number {
  return DISPATCH_WORK + work;
}
