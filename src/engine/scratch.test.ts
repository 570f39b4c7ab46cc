import { test } from 'vitest';
import { largestError, openEngine, readGolden, repositoryFolder, type TrainedGolden, type FixtureGolden } from './testing.ts';
test('omni', async () => {
  for (const device of ['cpu', 'gpu'] as const) {
  const folder = await repositoryFolder('demo/public/models/fable-omni-8m');
  const golden = await readGolden<TrainedGolden>(folder);
  const engine = await openEngine({ device });
  console.log(device, await engine.load(folder));
  for (const mode of ['at-once', 'one-by-one'] as const) {
    const t0 = performance.now();
    const logits = await engine.logits(golden.ids, mode);
    for (const [i, p] of golden.logits_positions.entries())
      console.log(device, mode, p, largestError(logits.subarray(p * 4096, (p + 1) * 4096), golden.logits[i]!), performance.now() - t0);
  }
  let text = '';
  for await (const e of engine.session().generate(golden.prompt, { temperature: 0, maxTokens: 40 })) {
    if (e.kind === 'token') text += e.text; else console.log(e);
  }
  console.log(text);
  engine.dispose();
  }
}, 600000);
test.each(['qwen3_moe','olmoe','mixtral','qwen2_moe','granitemoe'])('%s', async (f) => {
  for (const device of ['cpu', 'gpu'] as const) {
  const folder = await repositoryFolder('fixtures/models/' + f);
  const golden = await readGolden<FixtureGolden>(folder);
  const engine = await openEngine({ device });
  await engine.load(folder);
  for (const mode of ['at-once', 'one-by-one'] as const) console.log(f, device, mode, largestError(await engine.logits(golden.ids, mode), golden.logits.flat()));
  engine.dispose();
  }
}, 600000);
