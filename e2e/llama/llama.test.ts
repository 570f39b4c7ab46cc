/**
 * An independent check of GGUF files: the trained model of the demo, written with its tokenizer, gives llama.cpp the ids and the text
 * that it gives us.
 * @module-tag full
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LocalEngine } from '../../src/engine/index.ts';
import { nodeFolder } from '../../src/io/node-file.ts';
import { convert, type GgufType } from './convert.ts';

const FABLE = join(import.meta.dirname, '../../demo/public/models/fable-moe-12m');
const PROMPT = 'Once upon a time';
const TOKENS = 40;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-llama-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

interface Told {
  readonly ids: readonly number[]; // of the prompt
  readonly told: readonly number[];
  readonly text: string;
  readonly tokensPerSecond: number;
}

/** In a process of its own: it ends with it, whatever the library holds. */
async function tellByLlama(path: string): Promise<Told> {
  const program = join(import.meta.dirname, 'tell.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [program, path, PROMPT, String(TOKENS)]);
  return JSON.parse(stdout.slice(stdout.lastIndexOf('{"ids"'))) as Told;
}

async function tellByUs(path: string): Promise<Told> {
  const engine = await LocalEngine.open({ device: 'cpu', threads: 1 });
  await engine.load(await nodeFolder(path));
  const session = engine.session();
  const told: number[] = [];
  let text = '';
  const startMs = performance.now();
  for await (const event of session.generate(PROMPT, { maxTokens: TOKENS, temperature: 0 })) {
    if (event.kind !== 'token') continue;
    told.push(event.id);
    text += event.text;
  }
  const ms = performance.now() - startMs;
  const ids = engine.tokenizer?.encode(PROMPT) ?? [];
  engine.dispose();
  return { ids: [...ids], told, text, tokensPerSecond: (1000 * TOKENS) / ms };
}

describe.each<GgufType>(['F16', 'Q8_0', 'Q4_0'])('%s', (type) => {
  test('llama.cpp reads the same ids, and tells the same story', async () => {
    const path = join(folder, `fable-${type}.gguf`);
    await writeFile(path, await convert(FABLE, type));
    const [theirs, ours] = [await tellByLlama(path), await tellByUs(path)];
    console.log(
      `${type}: llama.cpp ${theirs.tokensPerSecond.toFixed(0)} tokens/s, we ${ours.tokensPerSecond.toFixed(0)}`,
    );
    expect(ours.ids).toEqual(theirs.ids);
    expect(ours.told).toEqual(theirs.told);
    expect(ours.text).toBe(theirs.text);
  });
});

test('F16 gives the text of the safetensors checkpoint', async () => {
  const golden = JSON.parse(await readFile(join(FABLE, 'golden.json'), 'utf8'));
  const { told } = await tellByUs(join(folder, 'fable-F16.gguf'));
  const ids = golden.greedy_ids as number[];
  expect(ids.join()).toContain(told.slice(0, 24).join());
});
