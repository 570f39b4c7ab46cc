/** A streamed model as a visitor meets it: over a rough line, on the disk, in two tabs, and without a network. */
import { expect, test, type BrowserContext, type Page } from 'playwright/test';
import { PATIENCE } from './demo-page.ts';
import { ModelServer } from './model-server.ts';
import { goldenContinuation } from './packed.ts';
import { call, FABLE, openLab, openWorkplace, WIDE, writeWide } from './streaming-lab.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ mode: 'serial', timeout: 300_000 });

let server: ModelServer;
let site: ModelServer;
let wideDenseBytes: number;
let prompt: string;
let story: string;
const closing: (() => Promise<unknown>)[] = [];

test.beforeAll(async () => {
  const place = await openWorkplace();
  const wide = await writeWide(place.folder);
  wideDenseBytes = wide.denseBytes;
  server = await ModelServer.open({ '/fable/': FABLE, '/wide/': wide.path });
  site = await ModelServer.open({ '/': place.page });
  closing.push(
    () => server.stop(),
    () => site.stop(),
    () => place.close(),
  );
  const golden = await goldenContinuation(FABLE);
  prompt = golden.prompt;
  story = golden.continuation;
});

test.afterAll(async () => {
  for (const close of closing) await close();
});

async function open(page: Page): Promise<void> {
  await openLab(page, `${site.url}/index.html`, async () => {});
}

function loadFable(page: Page, streaming: object) {
  const options = { streaming: { start: 'now', ...streaming } as const };
  return call(page, 'load', { url: `${server.url}/fable/`, where: 'worker', options });
}

/** Tells the beginning of the story, and compares it. */
async function expectStory(page: Page, maxTokens = 4): Promise<void> {
  const told = await call(page, 'tell', { prompt, maxTokens, isNew: true });
  expect(told).toMatchObject({ code: '' });
  expect(told.ids).toHaveLength(maxTokens);
  expect(story.slice(0, told.text.length)).toBe(told.text);
}

async function diskOf(page: Page) {
  const report = await call(page, 'report');
  if (!report?.disk) throw new Error('nothing is kept');
  return report.disk;
}

/** Chromium's own storage, as the settings page and a full disk would have it. */
async function storageOf(context: BrowserContext, page: Page) {
  const devtools = await context.newCDPSession(page);
  const { origin } = new URL(site.url);
  return {
    limit: (quotaSize: number) => devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize }),
    clear: () => devtools.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' }),
  };
}

/** The page as it is after a reload, with the model in it; returns how long that took. */
async function reopen(page: Page): Promise<number> {
  await page.reload();
  await page.waitForFunction(() => 'lab' in globalThis);
  const loaded = await loadFable(page, {});
  expect(loaded).toMatchObject({ code: '' });
  return loaded.ms;
}

test('a model comes over a rough line while it talks, and talks again without a network', async ({
  page,
}) => {
  server.bytesPerSecond = 20e6;
  for (const [index, fault] of (['cut', 'error', 'short', 'busy'] as const).entries()) {
    server.break(fault, { times: 1, after: 10 * (index + 1), file: /model\.safetensors$/ });
  }
  await open(page);
  const before = server.faults;
  expect(await loadFable(page, { fill: false })).toMatchObject({ code: '' });
  expect((await call(page, 'report'))?.isComplete).toBe(false);
  await expectStory(page);
  expect(server.faults - before).toBe(4);
  await call(page, 'dispose');

  // What came is enough for what it said, and for no more than that.
  await server.stop();
  await reopen(page);
  await expectStory(page);
  const cut = await call(page, 'tell', { prompt, maxTokens: 80 });
  expect(cut).toMatchObject({ code: 'network' });
  expect(story.startsWith(cut.text)).toBe(true);

  // The line is back: the conversation goes on, and the experts that were not needed yet are fetched in the background.
  await server.mend();
  const told = await call(page, 'tell', { prompt: prompt + cut.text, maxTokens: 8 });
  expect(told).toMatchObject({ code: '' });
  expect(told.reusedTokens).toBeGreaterThanOrEqual(cut.sessionTokens - 1);
  expect(story.startsWith(cut.text + told.text)).toBe(true);
  await expect
    .poll(async () => {
      const { storedBytes, totalBytes } = await diskOf(page);
      return totalBytes - storedBytes;
    }, PATIENCE)
    .toBe(0);
  await call(page, 'dispose');

  await server.stop();
  const ms = await reopen(page);
  await expectStory(page, 12);
  expect(await diskOf(page)).toMatchObject({ isReadOnly: false, why: '' });
  console.log(`opened without a network in ${Math.round(ms)} ms`);
  await server.mend();
});

test('the first token costs the dense part and the experts that the prompt goes to', async ({ page }) => {
  await open(page);
  const most = (experts: number) => wideDenseBytes + 1.3 * experts * WIDE.expertBytes;
  let experts = 0;
  for (const where of ['page', 'worker'] as const) {
    server.takeSent();
    const streaming = { start: 'now', fill: false } as const;
    const url = `${server.url}/wide/`;
    expect(await call(page, 'load', { url, where, options: { streaming } })).toMatchObject({ code: '' });
    const told = await call(page, 'tell', { prompt: 'Once upon a time, there was', maxTokens: 1 });
    expect(told).toMatchObject({ code: '', sessionTokens: 8 });
    const sentBytes = server.takeSent().reduce((sum, { bytes }) => sum + bytes, 0);
    if (where === 'page') experts = await call(page, 'expertsOfPrompts');
    console.log(
      `first token, ${where === 'page' ? 'nothing kept' : 'kept on the disk'}: ${sentBytes} bytes; ` +
        `dense part ${wideDenseBytes}, ${experts} of ${WIDE.layers * WIDE.experts} experts ${experts * WIDE.expertBytes}; ` +
        `${((sentBytes - wideDenseBytes) / (experts * WIDE.expertBytes)).toFixed(3)} times the experts`,
    );
    expect(experts).toBeGreaterThan(WIDE.layers * WIDE.topK);
    expect(experts).toBeLessThan(0.75 * WIDE.layers * WIDE.experts);
    expect(sentBytes).toBeLessThanOrEqual(most(experts));
    expect(sentBytes).toBeGreaterThan(0.9 * (wideDenseBytes + experts * WIDE.expertBytes));
    await call(page, 'dispose');
  }
});

test('a full disk is no error, and ends what is fetched only for it', async ({ page, context }) => {
  await open(page);
  const storage = await storageOf(context, page);
  await storage.limit(8_000_000);
  expect(await loadFable(page, { slotsPerLayer: 6, hostBudget: 0 })).toMatchObject({ code: '' });
  await expectStory(page);
  await expect.poll(async () => (await diskOf(page)).why, PATIENCE).not.toBe('');
  expect((await diskOf(page)).isReadOnly).toBe(true);
  await expectStory(page);
  await page.waitForTimeout(500); // what was under way has come
  server.takeSent();
  await page.waitForTimeout(1000);
  expect(server.takeSent()).toEqual([]);
  await call(page, 'dispose');
});

test('two tabs share what is stored, and survive that it is cleared', async ({ page, context }) => {
  const few = { slotsPerLayer: 6, hostBudget: 0 };
  await open(page);
  expect(await loadFable(page, few)).toMatchObject({ code: '' });
  await expectStory(page);
  const second = await context.newPage();
  await open(second);
  expect(await loadFable(second, few)).toMatchObject({ code: '' });
  await expectStory(second);
  expect(await diskOf(second)).toMatchObject({ isReadOnly: true });
  expect(await diskOf(page)).toMatchObject({ isReadOnly: false });

  await (await storageOf(context, page)).clear();
  for (const tab of [page, second]) await expectStory(tab);
  await second.close();
});
