/** The built kernels: which build suits this machine, and where its bytes come from. */
import { MAX_PAGES, type SimdBuild, type SimdModule } from './memory.ts';
import { ThreadPool, type Thread } from './thread-pool.ts';

/** Why there are no kernels here, and what would help: for people. */
export interface NoKernels {
  readonly reason: 'no-simd' | 'policy';
  readonly message: string;
}

/** A file of a build; with threads it works on shared memories. */
export type BuiltName = SimdBuild | `${SimdBuild}-threads`;

/** Gives the bytes of a build. */
export type KernelSource = (name: BuiltName) => Promise<Uint8Array<ArrayBuffer>>;

/** Starts threads for the kernels. @throws where none can be had */
export type StartThreads = (count: number) => Thread[] | Promise<Thread[]>;

/** Where the kernels come from, and how many threads run them. */
export interface KernelOptions {
  readonly source?: KernelSource | undefined;
  readonly startThreads?: StartThreads | undefined;
  /** With the caller among them; 1: none are started. */
  readonly threads: number;
}

/** The kernels come with the library, in a chunk of their own for each build. */
const builtIn: KernelSource = async (name) => (await import('./built.ts')).readBuilt(name);

/** Threads that have not begun by then are done without. */
const START_MS = 3000;

let compiled: Promise<SimdModule | NoKernels> | undefined;

/**
 * Compiles the kernels: the relaxed build where the machine takes it, else the plain one; for shared memories and threads
 * where these can be had. Without threads once for all engines of this thread.
 *
 * @throws where the kernels cannot be loaded
 */
export async function openKernels(options: KernelOptions): Promise<SimdModule | NoKernels> {
  const { source = builtIn, threads, startThreads } = options;
  if (threads > 1 && startThreads && canShare()) {
    const module = await compile(source, '-threads');
    if ('reason' in module) return module;
    const started = await Promise.resolve()
      .then(() => startThreads(threads - 1))
      .catch(() => undefined); // a policy that forbids them
    const pool = started && new ThreadPool(module.module, started);
    if (await pool?.isReady(START_MS)) return { ...module, threads: pool };
    pool?.dispose(); // their script may have been refused, which nothing else says
  }
  compiled ??= compile(source, '');
  compiled.catch(() => (compiled = undefined)); // what could not be loaded may come later
  return compiled;
}

/** Whether memory can be shared with threads, and this thread may wait for them: the main thread of a page may not. */
function canShare(): boolean {
  const { crossOriginIsolated, document } = globalThis as {
    crossOriginIsolated?: boolean;
    document?: unknown;
  };
  if (typeof SharedArrayBuffer === 'undefined' || crossOriginIsolated === false || document !== undefined)
    return false;
  try {
    // Reserves addresses up to its maximum, which small machines refuse.
    new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true });
    return true;
  } catch {
    return false;
  }
}

async function compile(source: KernelSource, kind: '' | '-threads'): Promise<SimdModule | NoKernels> {
  if (typeof WebAssembly === 'undefined') {
    return { reason: 'no-simd', message: 'WebAssembly is missing, so the CPU runs the slow reference' };
  }
  for (const build of ['relaxed', 'plain'] as const) {
    const bytes = await source(`${build}${kind}`);
    if (!WebAssembly.validate(bytes)) continue;
    try {
      return { module: await WebAssembly.compile(bytes), build };
    } catch {
      return {
        reason: 'policy',
        message:
          "the page's content policy forbids WebAssembly, so the CPU runs the slow reference; add 'wasm-unsafe-eval' to " +
          'script-src',
      };
    }
  }
  return {
    reason: 'no-simd',
    message: 'WebAssembly has no SIMD here, so the CPU runs the slow reference; a newer browser has it',
  };
}
