/** Steps of several tokens as a GPU would run them: the software adapter, treated as hardware, with the kernels that the tuner chooses. */
import { expect, test } from 'vitest';
import { MemoryStore } from '../hardware.testing.ts';
import { openEngine, repositoryFolder } from '../testing.ts';

test('drafts that one step checks give the reply without drafts', async () => {
  const engine = await openEngine({ tuning: 'auto', tuningStore: new MemoryStore() });
  await engine.load(await repositoryFolder('demo/public/models/fable-omni-8m'));
  expect(engine.adapter.adapterClass).toBe('hardware');
  const reply = async (decoding?: 'ngram') => {
    const options = { temperature: 0, maxTokens: 40, ...(decoding ? { decoding } : {}) };
    for await (const event of engine.session().generate('The cat and the dog and the cat', options)) {
      if (event.kind === 'done') return event;
    }
    throw new Error('no end');
  };
  const plain = await reply();
  const drafted = await reply('ngram');
  expect(drafted.text).toBe(plain.text);
  expect(drafted.decoding).toMatchObject({ strategy: 'ngram', accepted: expect.any(Number) });
  engine.dispose();
});
