/** Ops of latent attention beside attention itself. */
import type { LatentKeysIo, LatentQueryIo, LatentValuesIo } from '../../graph/ops/latent.ts';
import { kernelNamed, work, type SimdRun } from '../run.ts';
import { STYLES } from './attention.ts';

/** Queries in the space of latents; split by heads. */
export function latentQuery(run: SimdRun, io: LatentQueryIo): void | Promise<void> {
  const { q, weight, angles, y, heads, nope, rank, rotary, style } = io;
  const { main, step } = run;
  const { tokens, past } = step;
  const shape = { count: heads, unit: 1, multiplyAdds: tokens * rank * nope, scratchBytes: 0 };
  const at = [run.at(q), run.exactAt(weight), run.exactAt(angles), run.at(y)] as const;
  const sizes = [tokens, past, heads, nope, rank, rotary, STYLES[style]] as const;
  return run.split(work(kernelNamed(main, 'latent_query'), shape, ...at, ...sizes));
}

/** Normalises latents, rotates shared keys, and appends both to the cache. */
export function latentKeys(run: SimdRun, io: LatentKeysIo): void {
  const { x, gain, angles, cache, rank, rotary, style, eps } = io;
  const { tokens, past } = run.step;
  const at = [run.at(x), run.exactAt(gain), run.exactAt(angles), run.at(cache)] as const;
  run.main.kernels.latent_keys(...at, tokens, past, rank, rotary, STYLES[style], eps, 0, tokens);
}

/** Values from weighted latents; split by heads. */
export function latentValues(run: SimdRun, io: LatentValuesIo): void | Promise<void> {
  const { o, weight, y, heads, dims, rank, rotary } = io;
  const { main, step } = run;
  const { tokens } = step;
  const shape = { count: heads, unit: 1, multiplyAdds: tokens * rank * dims, scratchBytes: 0 };
  const at = [run.at(o), run.exactAt(weight), run.at(y)] as const;
  const sizes = [tokens, heads, dims, rank, rotary] as const;
  return run.split(work(kernelNamed(main, 'latent_values'), shape, ...at, ...sizes));
}
