import type { AttentionIo } from '../../graph/ops/attention.ts';
import type { RopeKvIo } from '../../graph/ops/rope-kv.ts';
import { SCRATCH_BYTES } from '../kernels.ts';
import { kernelNamed, SCRATCH, work, type SimdRun } from '../run.ts';

export const STYLES = { half: 0, pair: 1 } as const;
const NORMS = { none: 0, head: 1, vector: 2, headAndValue: 3, rotated: 0 } as const; // `rotated`: a second step normalises

/** Query heads that may share the keys they read keep a score of each. */
const HEADS_TOGETHER = 8;

/** Splits qkv, norms and rotates q and k (or rotates, then norms), and appends k and v to the caches. */
export function ropeKv(run: SimdRun, io: RopeKvIo): void {
  const { qkv, angles, gains, norm, heads, kvHeads, headDim, rotaryDim, style, eps, clip = 0 } = io;
  if (clip > 0) return run.byReference(); // no released model clips
  const { tokens, past } = run.step;
  const { kernels } = run.main;
  kernels.rope_kv(
    run.at(qkv),
    run.exactAt(angles),
    gains ? run.exactAt(gains.q) : 0,
    gains ? run.exactAt(gains.k) : 0,
    run.at(io.q),
    run.at(io.kCache),
    run.at(io.vCache),
    tokens,
    past,
    heads,
    kvHeads,
    headDim,
    rotaryDim,
    STYLES[style],
    NORMS[norm],
    eps,
    0,
    tokens,
  );
  if (norm !== 'rotated' || !gains) return;
  const [qRows, kRows] = [tokens * heads, tokens * kvHeads];
  const kAt = run.at(io.kCache) + 4 * past * kvHeads * headDim;
  kernels.rms_norm(run.at(io.q), run.exactAt(gains.q), run.at(io.q), qRows, headDim, eps, 0, qRows);
  kernels.rms_norm(kAt, run.exactAt(gains.k), kAt, kRows, headDim, eps, 0, kRows);
}

/** Causal attention over the caches; split by pairs of token and head. */
export function attention(run: SimdRun, io: AttentionIo): void | Promise<void> {
  if (io.keyBias) return run.byReference();
  const { q, kCache, vCache, o, heads, kvHeads, headDim, scale, window, chunk = 0, sinks } = io;
  const { main, step } = run;
  const { tokens, past } = step;
  const scratchBytes = SCRATCH_BYTES + 4 * HEADS_TOGETHER * (past + tokens);
  const [qAt, kAt, vAt, oAt] = [run.at(q), run.at(kCache), run.at(vCache), run.at(o)];
  const sinksAt = sinks ? run.exactAt(sinks) : 0;
  const keys = Math.min(window || Infinity, chunk || Infinity, past + tokens);
  const shape = { count: tokens * heads, unit: heads, multiplyAdds: 2 * keys * headDim, scratchBytes };
  const sizes = [tokens, past, heads, kvHeads, headDim, scale, window, chunk] as const;
  return run.split(
    work(kernelNamed(main, 'attention'), shape, qAt, kAt, vAt, sinksAt, oAt, SCRATCH, ...sizes),
  );
}
