/**
 * Everything that can go wrong between a streamed model and its host, while it is loaded, while it reads a prompt and
 * while it replies: the right reply, or one typed error behind which the same conversation goes on.
 */
import { expect, test, type Page } from 'playwright/test';
import { ModelServer, type Fault } from './model-server.ts';
import { goldenContinuation } from './packed.ts';
import { call, FABLE, openLab, openWorkplace, packFable } from './streaming-lab.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ mode: 'serial', timeout: 300_000 });

const STREAMING = { start: 'now', slotsPerLayer: 6, hostBudget: 0, fill: false } as const;
const ATTEMPTS = 2; // pages have more; what is broken for two is broken
const SHORT_PATIENCE_MS = 700;
const PATIENCE_MS = 30_000;
const RECORDS = /experts-\d+\.bin$/;

/** What stays broken, and what is said about it. `gone` is a host that is not there at all. */
const CODES: Readonly<Record<Exclude<Fault, 'whole'> | 'gone', string>> = {
  cut: 'network',
  error: 'network',
  busy: 'network',
  short: 'network',
  long: 'bad-file',
  garbage: 'integrity',
  'no-cors': 'cors',
  silent: 'network',
  changed: 'integrity',
  gone: 'network',
};
const FAULTS = Object.entries(CODES) as [keyof typeof CODES, string][];

/** What a second try cures. */
const PASSING: readonly Fault[] = ['cut', 'error', 'busy', 'short', 'garbage'];

let page: Page;
let server: ModelServer;
let prompt: string;
let story: string;
let onReached: () => Promise<void> = async () => {};
const closing: (() => Promise<unknown>)[] = [];

test.beforeAll(async ({ browser }) => {
  const place = await openWorkplace();
  server = await ModelServer.open({ '/packed/': await packFable(place.folder), '/plain/': FABLE });
  const site = await ModelServer.open({ '/': place.page });
  page = await browser.newPage();
  closing.push(
    () => page.close(),
    () => server.stop(),
    () => site.stop(),
    () => place.close(),
  );
  await openLab(page, `${site.url}/index.html`, () => onReached());
  await mend();
  const golden = await goldenContinuation(FABLE);
  prompt = golden.prompt;
  story = golden.continuation;
});

test.afterAll(async () => {
  for (const close of closing) await close();
});

function load(path: 'packed' | 'plain') {
  const url = `${server.url}/${path}/`;
  return call(page, 'load', { url, where: 'page', options: { streaming: STREAMING } });
}

async function breakDown(fault: Fault | 'gone', file?: RegExp): Promise<void> {
  if (fault === 'silent') await call(page, 'setPatience', ATTEMPTS, SHORT_PATIENCE_MS);
  if (fault === 'gone') await server.stop();
  else server.break(fault, file ? { file } : {});
}

async function mend(): Promise<void> {
  await server.mend();
  await call(page, 'setPatience', ATTEMPTS, PATIENCE_MS);
}

test('loading: each trouble that stays is one typed error, and then loading works', async () => {
  // Weights without hashes: of wrong bytes only a header tells.
  const codes = { ...CODES, garbage: 'bad-file' };
  for (const [fault] of FAULTS) {
    if (fault === 'changed') server.break(fault, { after: 1, file: /safetensors$/ });
    else await breakDown(fault);
    expect(await load('plain'), fault).toMatchObject({ code: codes[fault] });
    await mend();
  }
  expect(await load('plain')).toMatchObject({ code: '' });
  const told = await call(page, 'tell', { prompt, maxTokens: 4 });
  expect(story.startsWith(told.text)).toBe(true);
  expect(told.ids).toHaveLength(4);
});

test('loading: troubles that pass, and a host that knows no ranges, cost time and nothing else', async () => {
  server.bytesPerSecond = 8e6;
  const before = server.faults;
  const passing = [...PASSING.filter((fault) => fault !== 'garbage'), 'silent' as const];
  await call(page, 'setPatience', 2 + passing.length, SHORT_PATIENCE_MS);
  for (const fault of passing) server.break(fault, { times: 1, file: /model\.safetensors$/ });
  expect(await load('plain')).toMatchObject({ code: '' });
  expect(server.faults - before).toBe(passing.length);
  expect(await call(page, 'takeWaits')).toContain(1000); // what Retry-After said
  await mend();
  server.break('whole');
  const told = await call(page, 'tell', { prompt, maxTokens: 4 });
  expect(told).toMatchObject({ code: '' });
  expect(told.ids).toHaveLength(4);
  expect(story.startsWith(told.text)).toBe(true);
  await mend();
});

test('a prompt and its reply: troubles that pass are not noticed', async () => {
  expect(await load('packed')).toMatchObject({ code: '' });
  await call(page, 'setPatience', 2 + PASSING.length, PATIENCE_MS);
  const before = server.faults;
  for (const round of [0, 1]) {
    for (const [index, fault] of PASSING.entries()) {
      server.break(fault, { times: 1, after: 25 * round + 2 * (index + 1), file: RECORDS });
    }
  }
  const told = await call(page, 'tell', { prompt, maxTokens: 10, isNew: true });
  expect(told).toMatchObject({ code: '' });
  expect(told.ids).toHaveLength(10);
  expect(story.startsWith(told.text)).toBe(true);
  expect(server.faults - before).toBeGreaterThan(PASSING.length);
  await mend();
});

test('a prompt: each trouble that stays is one typed error, and the same session answers then', async () => {
  // One of each kind; a reply meets them all.
  const kinds: readonly string[] = ['cut', 'garbage', 'no-cors', 'silent', 'changed', 'gone'];
  for (const [fault, code] of FAULTS.filter(([one]) => kinds.includes(one))) {
    await breakDown(fault, RECORDS);
    const failed = await call(page, 'tell', { prompt, maxTokens: 2, isNew: true });
    expect(failed, fault).toMatchObject({ code, text: '' });
    await mend();
    const told = await call(page, 'tell', { prompt, maxTokens: 2 });
    expect(told, fault).toMatchObject({ code: '' });
    expect(story.startsWith(told.text), `${fault}: ${told.text}`).toBe(true);
    expect(told.ids).toHaveLength(2);
  }
});

test('a reply: each trouble that stays is one typed error, and the same conversation goes on from there', async () => {
  const first = await call(page, 'tell', { prompt, maxTokens: 1, isNew: true });
  let said = first.text;
  let tokens = first.sessionTokens;
  for (const [fault, code] of FAULTS) {
    onReached = () => breakDown(fault, RECORDS);
    const failed = await call(page, 'tell', { prompt: prompt + said, maxTokens: 40, pauseAt: 2 });
    expect(failed, fault).toMatchObject({ code });
    expect(failed.ids.length, fault).toBeGreaterThanOrEqual(2);
    expect(failed.sessionTokens, 'the tokens of before are kept').toBeGreaterThanOrEqual(tokens);
    await mend();
    said += failed.text;
    const told = await call(page, 'tell', { prompt: prompt + said, maxTokens: 1 });
    expect(told, fault).toMatchObject({ code: '' });
    expect(told.reusedTokens, fault).toBeGreaterThanOrEqual(failed.sessionTokens - 1);
    said += told.text;
    tokens = told.sessionTokens;
    expect(story.slice(0, said.length), fault).toBe(said);
  }
});
