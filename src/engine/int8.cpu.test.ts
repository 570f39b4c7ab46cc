/** Activations of 8 bits on the CPU: lossy, close, and told in the result. */
import { expect, test } from 'vitest';
import { LocalEngine } from './engine.ts';
import { modelInMemory } from './streaming.testing.ts';
import { readGolden, type TrainedGolden } from './testing.ts';

const MODEL = 'demo/public/models/fable-moe-12m';
const TOKENS = 128;

test('int8 activations are close to f32, and the reply says that they were used', async () => {
  const folder = await modelInMemory(MODEL);
  const ids = (await readGolden<TrainedGolden>(folder)).perplexity.ids.slice(0, TOKENS);
  const engine = await LocalEngine.open({ device: 'cpu', threads: 1 });
  const perplexity = async () => {
    const { vocab } = engine.model!.plan;
    const logits = await engine.logits(ids, 'one-by-one');
    let sum = 0;
    for (let at = 0; at + 1 < ids.length; at += 1) {
      const row = logits.subarray(at * vocab, (at + 1) * vocab);
      const top = Math.max(...row);
      const total = row.reduce((all, logit) => all + Math.exp(logit - top), 0);
      sum -= row[ids[at + 1]!]! - top - Math.log(total);
    }
    return Math.exp(sum / (ids.length - 1));
  };
  await engine.load(folder, { quantize: 'q4_0' });
  const exact = await perplexity();
  await engine.load(folder, { quantize: 'q4_0', activations: 'int8' });
  const lossy = await perplexity();
  expect(lossy).not.toBe(exact);
  expect(Math.abs(lossy / exact - 1)).toBeLessThan(0.02);
  const session = engine.session();
  for await (const event of session.generate('Once upon a time', { maxTokens: 4 }))
    if (event.kind === 'done') expect(event.lossy).toMatchObject({ activations: 'int8' });
  engine.dispose();
});

test('they are refused where no kernel of the CPU runs', async () => {
  const engine = await LocalEngine.open({ device: 'reference' });
  await expect(engine.load(await modelInMemory(MODEL), { activations: 'int8' })).rejects.toMatchObject({
    code: 'bad-input',
    message: expect.stringMatching(/int8.*device: 'cpu'/),
  });
  engine.dispose();
});
