/** The GPU goes away in mid-reply: one typed error, no hang, and the next engine works. */
import { expect, test } from 'vitest';
import { Gpu } from '../gpu/device.ts';
import type { GenerateEvent } from './api.ts';
import { openEngine, repositoryFolder } from './testing.ts';

async function dawn() {
  if (globalThis.navigator?.gpu) return undefined;
  const { create } = await import('webgpu');
  return create([]);
}

test('a device lost in mid-step rejects with device-lost', async () => {
  const { device } = await Gpu.open({ gpu: await dawn(), features: ['subgroups'] });
  const engine = await openEngine({ device });
  await engine.load(await repositoryFolder('fixtures/models/qwen3_moe'));
  // The fixture has no tokenizer: drive the runner as a session does.
  const { runner } = engine;
  const state = await runner.openState();
  const request = { penalty: 1, temperature: 1, candidates: true, routes: false };
  await runner.step(state, { ...request, ids: [5, 17, 33], past: 0 });
  const pending = runner.step(state, { ...request, ids: [2], past: 3 });
  device.destroy();
  await expect(pending).rejects.toMatchObject({ name: 'AtomoeError', code: 'device-lost' });
  await expect(engine.lost).rejects.toMatchObject({ code: 'device-lost' });
  await expect(runner.step(state, { ...request, ids: [2], past: 3 })).rejects.toMatchObject({
    code: 'device-lost',
  });
  engine.dispose();
});

test(
  'a session ends with device-lost, and another engine tells the same story',
  { tags: ['full'] },
  async () => {
    const folder = await repositoryFolder('demo/public/models/fable-omni-8m');
    const prompt = 'Once upon a time, there was a little';
    const { device } = await Gpu.open({ gpu: await dawn(), features: ['subgroups'] });
    const first = await openEngine({ device });
    await first.load(folder, { contextTokens: 32 });
    const said: string[] = [];
    const tell = async () => {
      for await (const event of first.session().generate(prompt, { temperature: 0, maxTokens: 8 })) {
        if (event.kind !== 'token') continue;
        said.push(event.text);
        if (said.length === 2) device.destroy();
      }
    };
    await expect(tell()).rejects.toMatchObject({ name: 'AtomoeError', code: 'device-lost' });
    first.dispose();
    const second = await openEngine();
    await second.load(folder, { contextTokens: 32 });
    const events: GenerateEvent[] = [];
    for await (const event of second.session().generate(prompt, { temperature: 0, maxTokens: 4 }))
      events.push(event);
    const texts = events.flatMap((event) => (event.kind === 'token' ? [event.text] : []));
    expect(texts.slice(0, 2)).toEqual(said);
    second.dispose();
  },
);
