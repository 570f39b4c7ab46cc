/** A real dense model of 260 thousand parameters tells the story that llama2.c tells, with the logits of plain loops. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { FolderSource } from '../io/source.ts';
import { llama2cFolder, parseLlama2c, PlainLlama, type Llama2c } from './llama2c.testing.ts';
import { largestError, openEngine, repositoryFolder } from './testing.ts';

/** f32 against f64, of logits up to about 20: a few of their last bits. */
const TOLERANCE = 3e-5;
const PROMPT = 'Once upon a time';

let model: Llama2c;
let folder: FolderSource;
let story: string; // what llama2.c prints

async function bytesOf(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await (await repositoryFolder('fixtures/llama2c')).open(name);
  if (!file) throw new Error(`no ${name}`);
  const bytes = (await file.read(0, file.sizeBytes)).slice();
  file.dispose?.();
  return bytes;
}

beforeAll(async () => {
  model = parseLlama2c(await bytesOf('stories260K.bin'));
  folder = await llama2cFolder(model, await bytesOf('tok512.bin'));
  story = new TextDecoder().decode(await bytesOf('greedy.txt')).trimEnd();
});

describe.each(['gpu', 'cpu', 'reference'] as const)('on %s', (device) => {
  test('it tells the story of llama2.c', async () => {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(folder);
    expect(engine.tokenizer?.encode(PROMPT)).toEqual([1, 403, 407, 261, 378]);
    let text = PROMPT;
    for await (const event of engine.session().generate(PROMPT, { temperature: 0, maxTokens: 180 }))
      if (event.kind === 'token') text += event.text;
    expect(text.slice(0, story.length)).toBe(story);
    expect(text.length).toBeGreaterThan(story.length);
    engine.dispose();
  });

  test('its logits equal those of plain loops', async () => {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(folder);
    const ids = [...(engine.tokenizer?.encode(story.slice(0, 200)) ?? [])];
    const plain = new PlainLlama(model);
    const wanted = ids.flatMap((id) => plain.step(id));
    expect(largestError(await engine.logits(ids, 'at-once'), wanted)).toBeLessThan(TOLERANCE);
    expect(largestError(await engine.logits(ids, 'one-by-one'), wanted)).toBeLessThan(TOLERANCE);
    engine.dispose();
  });
});
