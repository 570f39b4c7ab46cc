/** Sizes that are no multiple of what kernels load at once: nothing may see the padding behind them. */
import { describe, expect, test } from 'vitest';
import type { DeviceKind } from './api.ts';
import { allCandidates } from './talk/draw.ts';
import { firstRows, remadeModel, type HostTensor } from './remade-model.testing.ts';
import { largestError, openEngine, readGolden, repositoryFolder, type FixtureGolden } from './testing.ts';

const folder = await repositoryFolder('fixtures/models/granitemoe');
const golden = await readGolden<FixtureGolden>(folder);
const plain = { penalty: 1.4, temperature: 1.3, candidates: true, routes: false } as const;

/** Granite MoE with the first `vocab` tokens only: the head is tied, so its logits are the first of each row. */
const withVocab = (vocab: number) =>
  remadeModel(folder, {
    config: { vocab_size: vocab },
    tensor: (name, tensor) => (name.includes('embed_tokens') ? firstRows(tensor, vocab) : tensor),
  });

const TOLERANCE = 1e-4;

describe.each([93, 94, 95])('a vocabulary of %i', (vocab) => {
  const want = golden.logits.flatMap((row) => row.slice(0, vocab));

  test.each(['gpu', 'cpu', 'reference'] as const)('has that many logits a position on %s', async (device) => {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(await withVocab(vocab));
    for (const mode of ['at-once', 'one-by-one'] as const)
      expect(largestError(await engine.logits(golden.ids, mode), want), mode).toBeLessThan(TOLERANCE);
    engine.dispose();
  });

  test('leaves padding out of candidates, sums and penalties', async () => {
    const results = [];
    for (const device of ['gpu', 'cpu', 'reference'] as const) {
      const { runner, ...engine } = await opened(device, vocab);
      const state = await runner.openState();
      runner.setSeen(state, golden.ids);
      const prompt = await runner.step(state, { ...plain, ids: golden.ids, past: 0 });
      const first = { record: prompt.candidates, logits: await prompt.logits() };
      const past = golden.ids.length;
      const token = await runner.step(state, { ...plain, ids: [vocab - 1], past });
      results.push(first, { record: token.candidates, logits: await token.logits() });
      state.dispose();
      engine.dispose();
    }
    const [gpuPrompt, gpuToken, cpuPrompt, cpuToken] = results;
    for (const [got, right] of [
      [gpuPrompt, cpuPrompt],
      [gpuToken, cpuToken],
    ]) {
      expect(largestError(got!.logits, right!.logits)).toBeLessThan(TOLERANCE);
      expect(got!.record!.ids).toEqual(right!.record!.ids);
      expect(Math.max(...allCandidates(got!.logits, 1).ids)).toBe(vocab - 1);
      for (const name of ['sum', 'temperedSum'] as const)
        expect(got!.record![name] / right!.record![name]).toBeCloseTo(1, 4);
    }
  });
});

async function opened(device: DeviceKind, vocab: number) {
  const engine = await openEngine(device === 'gpu' ? {} : { device });
  await engine.load(await withVocab(vocab));
  return { runner: engine.runner, dispose: () => engine.dispose() };
}

test('an odd number of experts: GPU and CPU agree', async () => {
  const experts = 7;
  const cut = (name: string, tensor: HostTensor) =>
    name.includes('block_sparse_moe') ? firstRows(tensor, experts) : tensor;
  const model = await remadeModel(folder, { config: { num_local_experts: experts }, tensor: cut });
  const logits = [];
  for (const device of ['gpu', 'cpu', 'reference'] as const) {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(model);
    logits.push(await engine.logits(golden.ids, 'at-once'), await engine.logits(golden.ids, 'one-by-one'));
    engine.dispose();
  }
  const [right] = logits;
  for (const other of logits) expect(largestError(other, right!)).toBeLessThan(TOLERANCE);
});
