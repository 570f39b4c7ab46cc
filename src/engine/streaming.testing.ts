/** What tests of streaming share: a model in memory, combinations of settings, slow and shuffled reads. */
import type { FolderSource } from '../io/source.ts';
import { memoryFolder } from '../io/memory.ts';
import { uniform } from './talk/random.ts';
import type { Runner } from './run/runner.ts';
import { repositoryFolder } from './testing.ts';

/** The files of a model, read once, so that thousands of reads of records cost nothing. */
export async function modelInMemory(path: string): Promise<FolderSource> {
  const folder = await repositoryFolder(path);
  const names = [
    'config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'model.safetensors',
    'golden.json',
  ];
  const files: Record<string, Uint8Array> = {};
  for (const name of names) {
    const file = await folder.open(name);
    if (file) files[name] = await file.read(0, file.sizeBytes);
    file?.dispose?.();
  }
  return memoryFolder(files, path);
}

/** Logits of the prompt's last token and of every forced one after it. */
export async function forced(
  runner: Runner,
  ids: readonly number[],
  promptTokens: number,
): Promise<Float32Array> {
  const state = await runner.openState();
  const request = { penalty: 1, temperature: 1, candidates: false, routes: false };
  const rows: Float32Array[] = [];
  try {
    for (let past = 0; past < ids.length;) {
      const part = past === 0 ? ids.slice(0, promptTokens) : ids.slice(past, past + 1);
      const step = await runner.step(state, { ...request, ids: part, past });
      rows.push(await step.logits());
      past += part.length;
    }
  } finally {
    state.dispose();
  }
  const all = new Float32Array(rows.length * (rows[0]?.length ?? 0));
  for (const [index, row] of rows.entries()) all.set(row, index * row.length);
  return all;
}

/**
 * Combinations in which every pair of values of two factors occurs, found greedily: the same for the same seed.
 */
export function pairwise<const F extends Readonly<Record<string, readonly unknown[]>>>(
  factors: F,
  seed: number,
): { readonly [N in keyof F]: F[N][number] }[] {
  const names = Object.keys(factors);
  const next = randomStream(seed);
  const open = new Set<string>();
  const pairKeys = (cell: Readonly<Record<string, number>>) =>
    names.flatMap((a, i) => names.slice(i + 1).map((b) => `${a}=${cell[a]} ${b}=${cell[b]}`));
  for (const [i, a] of names.entries()) {
    for (const b of names.slice(i + 1)) {
      for (const x of (factors[a] ?? []).keys())
        for (const y of (factors[b] ?? []).keys()) open.add(`${a}=${x} ${b}=${y}`);
    }
  }
  const cells: Record<string, number>[] = [];
  while (open.size > 0) {
    let best: Record<string, number> = {};
    let most = -1;
    for (let attempt = 0; attempt < 400; attempt += 1) {
      const cell: Record<string, number> = {};
      for (const name of names) cell[name] = Math.floor(next() * (factors[name]?.length ?? 1));
      const fresh = pairKeys(cell).filter((key) => open.has(key)).length;
      if (fresh > most) [best, most] = [cell, fresh];
    }
    for (const key of pairKeys(best)) open.delete(key);
    cells.push(best);
  }
  return cells.map(
    (cell) =>
      Object.fromEntries(names.map((name) => [name, factors[name]?.[cell[name] ?? 0]])) as {
        readonly [N in keyof F]: F[N][number];
      },
  );
}

/** Numbers in [0, 1), the same for the same seed. */
function randomStream(seed: number): () => number {
  let step = 0;
  return () => uniform(seed, step++);
}

/** Tier latency: at once, after a random while, or in another order than asked for. */
export type Latency = 'zero' | 'jitter' | 'reordered';

/** Comes between a read and who waits for it. */
export function delays(seed: number): { set(latency: Latency): void; readonly delay: () => Promise<void> } {
  const next = randomStream(seed);
  let latency: Latency = 'zero';
  let waiting: (() => void)[] = [];
  /** What has gathered since the last turn continues, last first. */
  const release = () => {
    const all = waiting.reverse();
    waiting = [];
    for (const go of all) go();
  };
  return {
    set: (wanted) => (latency = wanted),
    delay: async () => {
      if (latency === 'jitter') await new Promise((resolve) => setTimeout(resolve, next() * 3));
      if (latency !== 'reordered') return;
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 1) setTimeout(release, 1);
      });
    },
  };
}
