/** The built kernels: which build suits this machine, and where its bytes come from. */
import type { SimdBuild, SimdModule } from './memory.ts';

/** Why there are no kernels here, and what would help: for people. */
export interface NoKernels {
  readonly reason: 'no-simd' | 'policy';
  readonly message: string;
}

/** Gives the bytes of a build. */
export type KernelSource = (build: SimdBuild) => Promise<Uint8Array<ArrayBuffer>>;

let compiled: Promise<SimdModule | NoKernels> | undefined;

/** The kernels come with the library, in a chunk of their own for each build. */
const builtIn: KernelSource = async (build) => (await import('./built.ts')).readBuilt(build);

/** Compiles the kernels once for the thread: the relaxed build where the machine takes it, else the plain one. */
export function openKernels(source: KernelSource = builtIn): Promise<SimdModule | NoKernels> {
  compiled ??= compile(source);
  compiled.catch(() => (compiled = undefined)); // what could not be loaded may come later
  return compiled;
}

async function compile(source: KernelSource): Promise<SimdModule | NoKernels> {
  if (typeof WebAssembly === 'undefined') {
    return { reason: 'no-simd', message: 'WebAssembly is missing, so the CPU runs the slow reference' };
  }
  for (const build of ['relaxed', 'plain'] as const) {
    const bytes = await source(build);
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
