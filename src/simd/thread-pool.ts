/** Threads that share the kernels' work. */
import { ARGUMENTS_AT, CONTROL, CONTROL_BYTES, MOST_ARGUMENTS, type ToThread } from './thread.ts';

/** A worker, in browsers or in Node. */
export interface Thread {
  postMessage(message: ToThread): void;
  terminate(): void;
}

/** Part of the outputs of one kernel. */
export interface Job {
  readonly memory: number; // as `add` numbered it
  readonly kernel: number; // among the exports
  readonly args: readonly number[]; // without the range
  /** Which argument is scratch, and how many bytes of it each thread has; -1: none. */
  readonly scratchArgument: number;
  readonly scratchBytes: number;
  readonly first: number; // of the outputs
  readonly end: number;
  readonly unit: number; // outputs of a chunk
}

/** Without any chunk being done for so long, a thread has died: the job is done again without them. */
const DEAD_MS = 10_000;

/** Tickets begin anew before they pass 2^31. */
const MOST_TICKETS = 2 ** 30;

/**
 * The caller writes a job into shared memory, takes chunks of it as the threads do, and waits for those that others took:
 * a thread that wakes too late finds nothing to do, and no one waits for it. Chunks are independent outputs, so that the
 * bits do not depend on who computes them. Idle threads sleep: first where they wait for work, then in their event loops,
 * from which the next job calls them back; until they are there, the caller works alone.
 */
export class ThreadPool {
  readonly #ints: Int32Array<SharedArrayBuffer>;
  readonly #numbers: Float64Array<SharedArrayBuffer>;
  readonly #threads: readonly Thread[];
  /** Chunks that threads did, of all jobs. */
  helped = 0;
  #memories = 0;
  #isDead = false;

  constructor(module: WebAssembly.Module, threads: readonly Thread[]) {
    const control = new SharedArrayBuffer(CONTROL_BYTES);
    this.#ints = new Int32Array(control);
    this.#numbers = new Float64Array(control, ARGUMENTS_AT);
    this.#threads = threads;
    this.#send({ kind: 'open', module, control });
  }

  /** Threads, the caller among them. */
  get count(): number {
    return this.#isDead ? 1 : this.#threads.length + 1;
  }

  /** Waits until all threads have begun. @returns whether they have */
  async isReady(timeoutMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!this.#hasSettled()) {
      if (performance.now() > deadlineMs) return false;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return true;
  }

  /** Makes a memory known to the threads. @returns its number */
  add(memory: WebAssembly.Memory): number {
    const number = this.#memories++;
    this.#send({ kind: 'memory', number, memory });
    return number;
  }

  /** Lets the threads forget a memory, so that the system can have it back. */
  forget(number: number): void {
    this.#send({ kind: 'forget', number });
  }

  #send(...messages: ToThread[]): void {
    if (this.#isDead) return;
    const ints = this.#ints;
    // Before the messages: a thread that read one and found the old count would not wait for work, and look as if it did.
    Atomics.add(ints, CONTROL.serves, 1);
    for (const [index, thread] of this.#threads.entries())
      for (const message of [...messages, { kind: 'serve', index: index + 1 } as const])
        thread.postMessage(message);
    Atomics.add(ints, CONTROL.sequence, 2); // wakes those that sleep
    Atomics.notify(ints, CONTROL.sequence);
  }

  /**
   * Does a job together with the threads; waits until all of it is done.
   *
   * @param call - computes a range on the calling thread
   * @returns false where the threads are not ready, or are gone: then nothing was done
   */
  run(job: Job, call: (first: number, end: number) => void): boolean {
    if (!this.#hasSettled()) return false;
    const ints = this.#ints;
    const chunks = Math.ceil((job.end - job.first) / job.unit);
    const tickets = this.#publish(job, chunks);
    let own = 0;
    for (;;) {
      const ticket = Atomics.load(ints, CONTROL.next);
      if (ticket >= tickets + chunks) break;
      if (Atomics.compareExchange(ints, CONTROL.next, ticket, ticket + 1) !== ticket) continue;
      const from = job.first + (ticket - tickets) * job.unit;
      call(from, Math.min(job.end, from + job.unit));
      own += 1;
      Atomics.add(ints, CONTROL.completed, 1);
    }
    this.helped += chunks - own;
    if (this.#wait(chunks) && Atomics.load(ints, CONTROL.failed) === 0) return true;
    this.dispose();
    call(job.first, job.end);
    return true;
  }

  dispose(): void {
    this.#isDead = true;
    for (const thread of this.#threads) thread.terminate();
  }

  /** Whether all threads wait for work. Those that rest are called. */
  #hasSettled(): boolean {
    if (this.#isDead) return false;
    const ints = this.#ints;
    const haveRead =
      Atomics.load(ints, CONTROL.ready) === this.#threads.length * Atomics.load(ints, CONTROL.serves);
    if (haveRead && Atomics.load(ints, CONTROL.resting) === 0) return true;
    if (haveRead) this.#send();
    return false;
  }

  /** Writes the job between two steps of the sequence: who reads in between reads again. @returns its first ticket */
  #publish({ args, scratchBytes, ...job }: Job, chunks: number): number {
    const ints = this.#ints;
    Atomics.add(ints, CONTROL.sequence, 1);
    if (Atomics.load(ints, CONTROL.next) > MOST_TICKETS) Atomics.store(ints, CONTROL.next, 0);
    const firstTicket = Atomics.load(ints, CONTROL.next);
    const words = { ...job, completed: 0, firstTicket, chunks, arguments: args.length };
    for (const [name, value] of Object.entries(words) as [keyof typeof words, number][])
      Atomics.store(ints, CONTROL[name], value);
    this.#numbers.set(args);
    this.#numbers[MOST_ARGUMENTS] = scratchBytes;
    Atomics.add(ints, CONTROL.sequence, 1);
    Atomics.notify(ints, CONTROL.sequence);
    return firstTicket;
  }

  /** @returns whether all chunks were done */
  #wait(chunks: number): boolean {
    const ints = this.#ints;
    for (let spin = 0; spin < 4000; spin += 1)
      if (Atomics.load(ints, CONTROL.completed) === chunks) return true;
    for (;;) {
      const completed = Atomics.load(ints, CONTROL.completed);
      if (completed === chunks) return true;
      if (Atomics.wait(ints, CONTROL.completed, completed, DEAD_MS) === 'timed-out') return false;
    }
  }
}
