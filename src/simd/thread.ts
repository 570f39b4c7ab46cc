/** What a thread of the kernels runs. Its functions refer to nothing outside themselves: Node starts them from their texts. */

/** Both ends of a thread: a worker's own scope in browsers, `parentPort` in Node. */
export interface ThreadPort {
  onmessage: ((event: { readonly data: ToThread }) => void) | null;
}

/** What threads are sent: what they are made of, a memory, or that they are to wait for work. */
export type ToThread =
  | { readonly kind: 'open'; readonly module: WebAssembly.Module; readonly control: SharedArrayBuffer }
  | { readonly kind: 'memory'; readonly number: number; readonly memory: WebAssembly.Memory }
  | { readonly kind: 'forget'; readonly number: number }
  | { readonly kind: 'serve'; readonly index: number };

/** Where the words of the control block are; see `ThreadPool`. Numbers of arguments are f64, from `ARGUMENTS` bytes on. */
export const CONTROL = {
  sequence: 0, // odd while a job is being written
  serves: 1, // times that each thread was asked to serve: more than a thread has received means mail
  ready: 2, // times that threads have begun to serve, all together
  next: 3, // the ticket that is taken next
  completed: 4, // chunks of this job
  failed: 5, // a kernel trapped
  firstTicket: 6,
  chunks: 7,
  unit: 8, // outputs of a chunk
  end: 9, // of the job's outputs
  memory: 10,
  kernel: 11, // among the exports
  arguments: 12, // how many
  first: 14, // of the job's outputs
  scratchArgument: 13, // which of them is the thread's own scratch; -1: none
  resting: 15, // threads that had no work for a while, and read their messages
} as const;

/** Size of the control block. */
export const CONTROL_BYTES = 512;

/** Where the arguments of a job begin in the control block, in bytes. */
export const ARGUMENTS_AT = 128; // bytes; the last number is the size of a thread's scratch

/** Arguments that a job can have; the number behind them is the size of a thread's scratch in bytes. */
export const MOST_ARGUMENTS = 40;

/**
 * Without work for so long a thread goes back to its event loop. Browsers may need an answer from it: in Firefox, a service
 * worker that claims its clients waits for every worker, and all requests of the page wait for the service worker.
 */
const REST_MS = 200;

/** What a thread knows. */
interface ThreadState {
  readonly exportsOf: Map<number, WebAssembly.Exports>; // of memories
  readonly ints: Int32Array;
  readonly numbers: Float64Array;
}

/** What a thread's functions refer to: they are started from their texts. */
export interface ThreadParts {
  readonly at: typeof CONTROL;
  readonly argumentsAt: number;
  readonly most: number; // arguments
  readonly restMs: number;
  readonly takeChunks: typeof takeChunks;
}

/** Takes chunks of the job that was published as `sequence` until there are none. */
export function takeChunks(
  { exportsOf, ints, numbers }: ThreadState,
  { at, most }: Pick<ThreadParts, 'at' | 'most'>,
  sequence: number,
  me: number,
): void {
  const word = (index: number) => Atomics.load(ints, index);
  const ticketsFrom = word(at.firstTicket);
  const ticketsTo = ticketsFrom + word(at.chunks);
  const [unit, begin, end] = [word(at.unit), word(at.first), word(at.end)];
  const exported = exportsOf.get(word(at.memory)) ?? {};
  const kernel = Object.values(exported)[word(at.kernel)] as ((...list: number[]) => void) | undefined;
  const list = Array.from(numbers.subarray(0, word(at.arguments)));
  const own = word(at.scratchArgument);
  if (own >= 0) list[own] = (list[own] ?? 0) + me * (numbers[most] ?? 0);
  if (word(at.sequence) !== sequence) return; // what was read may be half of the next job
  for (;;) {
    const ticket = word(at.next);
    if (ticket < ticketsFrom || ticket >= ticketsTo) return;
    if (Atomics.compareExchange(ints, at.next, ticket, ticket + 1) !== ticket) continue;
    const from = begin + (ticket - ticketsFrom) * unit;
    try {
      kernel?.(...list, from, Math.min(end, from + unit));
    } catch {
      Atomics.store(ints, at.failed, 1);
    }
    Atomics.add(ints, at.completed, 1);
    Atomics.notify(ints, at.completed);
  }
}

/** Serves a port for ever. */
export function serveThread(port: ThreadPort, parts: ThreadParts): void {
  const { at } = parts;
  let module: WebAssembly.Module | undefined;
  let state: ThreadState = {
    exportsOf: new Map(),
    ints: new Int32Array(0),
    numbers: new Float64Array(0),
  };
  let served = 0;
  let isResting = false;

  const serve = (me: number) => {
    const { ints } = state;
    const word = (index: number) => Atomics.load(ints, index);
    served += 1;
    let last = word(at.sequence);
    if (isResting) Atomics.sub(ints, at.resting, 1);
    isResting = false;
    Atomics.add(ints, at.ready, 1);
    while (word(at.serves) === served) {
      // A step's jobs follow one another within microseconds: asleep, a thread would come too late for most.
      for (let spin = 0; spin < 4000 && word(at.sequence) === last; spin += 1);
      isResting = Atomics.wait(ints, at.sequence, last, parts.restMs) === 'timed-out';
      if (isResting) {
        Atomics.add(ints, at.resting, 1);
        return;
      }
      const sequence = word(at.sequence);
      if (sequence === last) continue;
      if (sequence % 2 === 0) {
        last = sequence;
        parts.takeChunks(state, parts, sequence, me);
      }
    }
  };

  port.onmessage = ({ data }) => {
    if (data.kind === 'open') {
      module = data.module;
      const numbers = new Float64Array(data.control, parts.argumentsAt);
      state = { ...state, ints: new Int32Array(data.control), numbers };
    } else if (data.kind === 'memory') {
      if (module) {
        const { exports } = new WebAssembly.Instance(module, { env: { memory: data.memory } });
        state.exportsOf.set(data.number, exports);
      }
    } else if (data.kind === 'forget') state.exportsOf.delete(data.number);
    else serve(data.index);
  };
}

/** What `serveThread` is given, but for the function that it calls. */
export const THREAD_NUMBERS = {
  at: CONTROL,
  argumentsAt: ARGUMENTS_AT,
  most: MOST_ARGUMENTS,
  restMs: REST_MS,
};
