/** Troubles in the middle of a streamed step: each ends in a right reply or in one typed error, and never in a hang. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { Gpu } from '../gpu/device.ts';
import type { FolderSource } from '../io/source.ts';
import type { GenerateOptions, LoadOptions, Session } from './api.ts';
import type { LocalEngine } from './engine.ts';
import { modelInMemory } from './streaming.testing.ts';
import { openEngine } from './testing.ts';

const PROMPT = 'Once upon a time, there was a little';
const TOKENS = 8;
const NAN_POISON = 0x7fc07e01; // as f32 and as two halves: NaN
const DEADLINE_MS = 60_000;

/** As few as a token can do with, nothing kept in memory: almost every step reads. */
const FEW = { start: 'now', slotsPerLayer: 6, runAhead: 2, hostBudget: 0, fill: false } as const;
const LOAD: LoadOptions = { contextTokens: 64, streaming: FEW };

/** What is between the engine and a model's weights. */
interface Line {
  isDown: boolean;
  reads: number;
  /** Called before each read of weights. */
  onRead: ((reads: number) => void) | undefined;
}

function brittle(folder: FolderSource): { folder: FolderSource; line: Line } {
  const line: Line = { isDown: false, reads: 0, onRead: undefined };
  return {
    line,
    folder: {
      label: folder.label,
      async open(name, options) {
        const file = await folder.open(name, options);
        if (!file || name !== 'model.safetensors') return file;
        return {
          name,
          sizeBytes: file.sizeBytes,
          async read(offsetBytes, sizeBytes, readOptions) {
            line.reads += 1;
            line.onRead?.(line.reads);
            if (line.isDown)
              throw new AtomoeError('network', 'the line is down; a read was wanted; try again');
            return file.read(offsetBytes, sizeBytes, readOptions);
          },
        };
      },
    },
  };
}

/** A hang is a failure too. */
async function within<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing for ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

interface Told {
  text: string;
  tokens: number;
  reason: string;
  reusedTokens: number;
}

/** Tells on; what was said before an error stays in `told`. */
async function tell(
  session: Session,
  prompt: string,
  told: Told,
  { onToken = () => {}, ...options }: GenerateOptions & { onToken?: (tokens: number) => void } = {},
): Promise<void> {
  for await (const event of session.generate(prompt, { temperature: 0, maxTokens: TOKENS, ...options })) {
    if (event.kind === 'done')
      Object.assign(told, { reason: event.reason, reusedTokens: event.usage.reusedTokens });
    if (event.kind !== 'token') continue;
    told.text += event.text;
    told.tokens += 1;
    onToken(told.tokens);
  }
}

const nothing = (): Told => ({ text: '', tokens: 0, reason: '', reusedTokens: 0 });

async function say(session: Session, prompt = PROMPT, options?: GenerateOptions): Promise<Told> {
  const told = nothing();
  await within(tell(session, prompt, told, options));
  return told;
}

async function dawn() {
  if (globalThis.navigator?.gpu) return undefined;
  const { create } = await import('webgpu');
  return create([]);
}

let line: Line;
let folder: FolderSource;
let engine: LocalEngine;
let story: string;

beforeAll(async () => {
  ({ folder, line } = brittle(await modelInMemory('demo/public/models/fable-moe-12m')));
  engine = await openEngine({ streamTesting: { poison: NAN_POISON } });
  await engine.load(folder, LOAD);
  story = (await say(engine.session())).text;
});

afterAll(() => engine.dispose());

/** Calls `act` at one of the reads to come. */
function atRead(ahead: number, act: () => void): void {
  const from = line.reads;
  line.onRead = (reads) => {
    if (reads === from + ahead) act();
  };
}

function mend(): void {
  line.onRead = undefined;
  line.isDown = false;
}

test('the story is long enough to be interrupted', () => {
  expect(story.length).toBeGreaterThan(12);
});

/** Where a step is interrupted: at a read of the prompt's experts, or of those of a token. */
const PHASES = ['prompt', 'reply'] as const;

describe.each(PHASES)('in the middle of a %s', (phase) => {
  /** Tells, and lets something happen at a read of this phase. */
  async function interrupted(
    session: Session,
    act: () => void,
    options: GenerateOptions = {},
  ): Promise<Told> {
    const told = nothing();
    if (phase === 'prompt') atRead(40, act);
    const onToken = (tokens: number) => phase === 'reply' && tokens === 3 && atRead(2, act);
    try {
      await within(tell(session, PROMPT, told, { ...options, onToken }));
      return told;
    } catch (error) {
      throw Object.assign(error as Error, { told });
    } finally {
      line.onRead = undefined;
    }
  }

  test('the device is lost: the next engine tells the story on', { tags: ['full'] }, async () => {
    const { device } = await Gpu.open({ gpu: await dawn(), features: ['subgroups'] });
    const first = await openEngine({ device });
    await first.load(folder, LOAD);
    const failed = interrupted(first.session(), () => device.destroy());
    const error = await failed.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'AtomoeError', code: 'device-lost' });
    const { told } = error as { told: Told };
    expect(told.tokens > 0).toBe(phase === 'reply');
    expect(story.startsWith(told.text)).toBe(true);
    await expect(within(first.lost)).rejects.toMatchObject({ code: 'device-lost' });
    await expect(say(first.session())).rejects.toMatchObject({ code: 'device-lost' });
    first.dispose();
    // The conversation is its tokens: the other engine reads them, and continues.
    const rest = await say(engine.session(), PROMPT + told.text, { maxTokens: TOKENS - told.tokens });
    expect(told.text + rest.text).toBe(story);
  });

  test('an abort: the session says afterwards what an undisturbed one says', { tags: ['full'] }, async () => {
    const session = engine.session();
    const abort = new AbortController();
    const told = await interrupted(session, () => abort.abort(), { signal: abort.signal });
    expect(told.reason).toBe('abort');
    expect(story.startsWith(told.text)).toBe(true);
    expect(told.text.length).toBeLessThan(story.length);
    expect((await say(session)).text).toBe(story);
    session.dispose();
  });

  test('reads that fail: one error, and the same conversation goes on', async () => {
    const session = engine.session();
    const failed = interrupted(session, () => (line.isDown = true));
    const error = await failed.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'AtomoeError', code: 'network' });
    const { told } = error as { told: Told };
    const kept = session.tokens;
    expect(story.startsWith(told.text)).toBe(true);
    // The line is still down: the same again, and nothing is lost by it.
    await expect(say(session, PROMPT + told.text)).rejects.toMatchObject({ code: 'network' });
    mend();
    const rest = await say(session, PROMPT + told.text, { maxTokens: TOKENS - told.tokens });
    expect(told.text + rest.text).toBe(story);
    if (phase === 'reply') expect(rest.reusedTokens).toBeGreaterThanOrEqual(kept - 1);
    session.dispose();
  });

  test('the engine is disposed of: the reply ends', async () => {
    const other = await openEngine();
    await other.load(folder, LOAD);
    await expect(interrupted(other.session(), () => other.dispose())).rejects.toMatchObject({
      name: 'AtomoeError',
      code: 'disposed',
    });
  });
});

test('memory is refused to a second session: the first goes on', { tags: ['full'] }, async () => {
  const other = await openEngine();
  const { bytes } = await other.plan(folder, LOAD);
  await other.load(folder, { ...LOAD, memoryBudget: bytes.gpuTotal + bytes.kvCache / 2 });
  const [first, second] = [other.session(), other.session()];
  const begun = await say(first, PROMPT, { maxTokens: 2 });
  await expect(say(second)).rejects.toMatchObject({ name: 'AtomoeError', code: 'out-of-memory' });
  const rest = await say(first, PROMPT + begun.text, { maxTokens: TOKENS - 2 });
  expect(begun.text + rest.text).toBe(story);
  // What the first gives back is enough for the second.
  first.dispose();
  expect((await say(second)).text).toBe(story);
  other.dispose();
});

test('two sessions, one of which fails: the other does not notice', async () => {
  const [first, second] = [engine.session(), engine.session()];
  const told = nothing();
  const onToken = (tokens: number) => {
    if (tokens === 2) line.isDown = true;
  };
  await expect(within(tell(first, PROMPT, told, { onToken }))).rejects.toMatchObject({ code: 'network' });
  mend();
  expect((await say(second)).text).toBe(story);
  expect(told.text + (await say(first, PROMPT + told.text, { maxTokens: TOKENS - told.tokens })).text).toBe(
    story,
  );
});

test(
  'the background fill waits for the line to come back, and harms nobody',
  { tags: ['full'] },
  async () => {
    line.isDown = true;
    await engine.resize({ streaming: { slotsPerLayer: 32, fill: true } });
    await expect(say(engine.session())).rejects.toMatchObject({ code: 'network' });
    await new Promise((resolve) => setTimeout(resolve, 400)); // it has tried, and failed
    expect((await engine.streaming())?.isComplete).toBe(false);
    mend();
    await expect
      .poll(async () => (await engine.streaming())?.isComplete, { timeout: DEADLINE_MS })
      .toBe(true);
    expect((await say(engine.session())).text).toBe(story);
  },
);
