/** What an engine keeps on the disk, where several of its calls open the same model at once. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openNodeStorage } from '../io/node-storage.ts';
import type { DiskStorage } from '../io/storage.ts';
import { LocalEngine } from './engine.ts';

const MODEL = 'http://localhost:8124/models/mixtral';

let root = '';
let storage: DiskStorage;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'atomoe-kept-'));
  storage = await openNodeStorage(root);
});
afterEach(() => rm(root, { recursive: true }));

/** A host without ranges; the first answer waits for `gate`. */
function host(gate: Promise<void> = Promise.resolve()): typeof fetch {
  let waits: Promise<void> | undefined = gate;
  return async (input) => {
    const wait = waits;
    waits = undefined;
    await wait;
    const { pathname } = new URL(input instanceof Request ? input.url : String(input));
    const bytes = await readFile(join('fixtures', pathname)).catch(() => undefined);
    return bytes ? new Response(bytes) : new Response(null, { status: 404 });
  };
}

async function expectKept(engine: LocalEngine): Promise<void> {
  expect((await engine.streaming())?.disk).toMatchObject({ isReadOnly: false, why: '' });
}

test('a model whose plan is under way is kept', async () => {
  let answer = (): void => {};
  const gate = new Promise<void>((resolve) => (answer = resolve));
  const engine = await LocalEngine.open({ device: 'cpu', storage, fetch: host(gate) });
  const plans = [engine.plan(MODEL), engine.plan(MODEL)];
  const loading = engine.load(MODEL);
  answer();
  await Promise.all([...plans, loading]);
  await expectKept(engine);
  engine.dispose();
  await engine.closed;
});

test('an engine that is being disposed of lets the next one keep the model', async () => {
  const options = { device: 'cpu', storage, fetch: host() } as const;
  const first = await LocalEngine.open(options);
  await first.load(MODEL);
  const second = await LocalEngine.open(options);
  first.dispose();
  await second.load(MODEL);
  await expectKept(second);
  second.dispose();
  await Promise.all([first.closed, second.closed]);
});

test('a load can be aborted while it waits for a plan', async () => {
  const engine = await LocalEngine.open({ device: 'cpu', storage, fetch: host(new Promise(() => {})) });
  const [plan, load] = [new AbortController(), new AbortController()];
  const planned = engine.plan(MODEL, { signal: plan.signal });
  const loading = engine.load(MODEL, { signal: load.signal });
  load.abort();
  await expect(loading).rejects.toBe(load.signal.reason);
  plan.abort();
  await expect(planned).rejects.toBe(plan.signal.reason);
  engine.dispose();
});
