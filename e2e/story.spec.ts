/** A visitor, a button, a story. */
import { expect, test, type Page } from 'playwright/test';
import { DemoPage } from './demo-page.ts';

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly tdur?: number; // microseconds of processor time
  readonly args?: { readonly name?: string };
}

/**
 * How long each task of the page's main thread computed. Processor time and not time on the wall: a machine with other
 * work takes the processor away in mid-task, and that is not the page's doing.
 */
function mainThreadTasksMs(trace: Buffer): number[] {
  const { traceEvents } = JSON.parse(trace.toString('utf8')) as { traceEvents: TraceEvent[] };
  const named = traceEvents.filter(
    ({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain',
  );
  const mains = new Set(named.map(({ pid, tid }) => `${pid} ${tid}`));
  return traceEvents
    .filter(({ name, pid, tid }) => name === 'RunTask' && mains.has(`${pid} ${tid}`))
    .map(({ tdur = 0 }) => tdur / 1000);
}

/** Looks at the picture's own measure once per frame. */
async function collectPaintTimes(page: Page): Promise<() => Promise<number[]>> {
  const times = await page.evaluateHandle(() => {
    const collected: number[] = [];
    const experts = document.querySelector('atomoe-experts');
    const look = (): void => {
      if (experts) collected.push(experts.paintMs);
      requestAnimationFrame(look);
    };
    look();
    return collected;
  });
  return () => times.jsonValue();
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

test('a first visit needs no decision: one button, first token, a full story @quick', async ({ page }) => {
  const demo = await new DemoPage(page).open();
  await demo.ready();
  await expect(page.getByLabel('Model', { exact: true })).toHaveValue('fable-omni-8m');
  await expect(page.locator('#model option')).toHaveText(['Fable Omni 8M (17 MB)', 'Fable MoE 12M (24 MB)']);

  await demo.tell.click();
  await demo.begun(1);
  await expect(page.locator('#adapter')).toContainText('WebGPU ok');
  await expect(demo.stats).toContainText(/first token [\d.]+ s/);
  await demo.finished();

  expect(await demo.text()).toMatch(/^Once upon a time\b/);
  expect(await demo.words.count()).toBeGreaterThan(30);
  await expect(demo.stats).toContainText(
    /[\d.]+ tok\/s · first token [\d.]+ s · \d+ tokens · (ended at the length set · )?seed \d+/,
  );
  await expect(page.locator('#memory')).toContainText(/[\d.]+ MB of GPU memory in use/);
  expect(demo.strangers).toEqual([]);
  expect(demo.violations).toEqual([]);
});

test('stop ends the story where it is, and a second prompt begins another', async ({ page }) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await demo.tell.click();
  await demo.begun();
  await demo.stop.click();
  await expect(demo.stats).toContainText('stopped');
  const stopped = await demo.text();
  await expect(demo.tell).toBeEnabled();

  await demo.tell.click(); // at once, while Stop has the focus: the button must not slip away from under the press
  await expect(demo.stats).not.toContainText('stopped');
  await demo.begun();
  await demo.stop.click();
  await expect(demo.stats).toContainText('stopped');

  await demo.setLength(24);
  await demo.prompt.fill('The little robot');
  await demo.tellAll();
  const second = await demo.text();
  expect(second).toMatch(/^The little robot/);
  expect(second.length).toBeGreaterThan('The little robot'.length + 20);
  expect(second).not.toContain(stopped.slice(0, 40));
});

test('the same seed tells the same story', async ({ page }) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await demo.setLength(24);
  await demo.set('Seed', 7);
  await demo.tellAll();
  const first = await demo.text();
  await demo.tellAll();
  expect(await demo.text()).toBe(first);
  await expect(demo.stats).toContainText('seed 7');
});

test('the other model tells one too, with its own picture @quick', async ({ page }) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await page.getByLabel('Model', { exact: true }).selectOption('fable-moe-12m');
  await expect(demo.story).toContainText('24 MB');
  await demo.setLength(24);
  await demo.tellAll();
  expect(await demo.words.count()).toBeGreaterThan(5);
  await expect(demo.experts.getByRole('img')).toHaveAccessibleName(/6 layers of 32 experts; 4 of them/);
});

test('a load can be cancelled and begun again', async ({ page }) => {
  const demo = await (await new DemoPage(page).open()).ready();
  // The weights stand still until they are let through, so the load is surely there to be cancelled.
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.context().route('**/model.safetensors', async (route) => {
    await held;
    await route.continue().catch(() => {});
  });
  await demo.tell.click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await demo.ready();
  release();
  await demo.setLength(12);
  await demo.tellAll();
  expect(await demo.words.count()).toBeGreaterThan(2);
});

test('a word shows its experts, an expert its words', async ({ page }) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await demo.setLength(24);
  await demo.tellAll();
  const word = demo.words.nth(4);
  await word.hover();
  await expect(demo.experts).toContainText(`“${await word.textContent()}” was made by`);
  await demo.experts.getByText('Busiest experts per layer').click();
  const busiest = demo.experts.getByRole('row').nth(1).getByRole('button').first();
  await busiest.click();
  await expect(busiest).toHaveAttribute('aria-pressed', 'true');
  await expect(demo.experts).toContainText(/Layer 0, expert \d+ .*is used most for: /);
  expect(await demo.story.locator('.liked').count()).toBeGreaterThan(0);
  await busiest.click();
  await expect(demo.story.locator('.liked')).toHaveCount(0);
});

/** The most that one task of the page may compute: longer ones are felt. */
const LONGEST_TASK_MS = 50;

test('while it tells, somebody types and scrolls: no task of the main thread computes for long', async ({
  page,
  browser,
}) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await demo.setLength(8);
  await demo.tellAll(); // loads and compiles
  await demo.setLength(220);
  const paintMs = await collectPaintTimes(page);
  await browser.startTracing(page, { categories: ['disabled-by-default-devtools.timeline', '__metadata'] });
  await demo.tell.click();
  await demo.begun();
  await demo.prompt.click();
  await page.keyboard.press('End');
  await page.keyboard.type(' and a little fox that ran', { delay: 15 });
  await demo.story.hover();
  for (const dy of [-300, 300, -200, 400]) await page.mouse.wheel(0, dy);
  await page.mouse.move(8, 300); // beside the stage: the page scrolls
  for (const dy of [600, -600]) await page.mouse.wheel(0, dy);
  await expect(demo.prompt).toHaveValue('Once upon a time and a little fox that ran');
  await demo.finished();
  const tasks = mainThreadTasksMs(await browser.stopTracing());
  const frameMs = median(await paintMs());
  const measured = `longest of ${tasks.length} tasks ${Math.max(...tasks).toFixed(1)} ms; frame ${frameMs.toFixed(2)} ms`;
  test.info().annotations.push({ type: 'measured', description: measured });
  console.log(measured);
  expect(tasks.length).toBeGreaterThan(100);
  expect(Math.max(...tasks)).toBeGreaterThan(0.1); // the trace has times at all
  expect(tasks.filter((ms) => ms >= LONGEST_TASK_MS)).toEqual([]);
  // This one is a time on the wall, which depends on what else the machine does: judged only where somebody asks.
  if (process.env['ATOMOE_MEASURE'] === '1') expect(frameMs).toBeLessThan(2);
});

test('the engine also runs in the page itself', async ({ page }) => {
  const demo = await (await new DemoPage(page).open({ worker: '0', tuning: 'off' })).ready();
  await demo.setLength(8);
  await demo.tellAll();
  expect(await demo.words.count()).toBeGreaterThan(0);
  expect(demo.violations).toEqual([]);
});

test('the CPU tells it too, by WebAssembly', async ({ page }) => {
  const demo = await (await new DemoPage(page).open({ device: 'cpu' })).ready();
  await demo.setLength(4);
  await demo.tellAll();
  await expect(page.locator('#adapter')).toHaveText(/^CPU: WebAssembly SIMD \((plain|relaxed)\)$/);
  expect(await demo.words.count()).toBeGreaterThan(0);
});

test('threads of the CPU tell it too, where the page is isolated', async ({ page }) => {
  const demo = await (await new DemoPage(page).open({ device: 'cpu', threads: '2' })).ready();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await demo.setLength(24);
  await demo.tellAll();
  await expect(page.locator('#adapter')).toHaveText(/^CPU: WebAssembly SIMD \((plain|relaxed), 2 threads\)$/);
  expect(await demo.words.count()).toBeGreaterThan(10);
  expect(demo.violations).toEqual([]);
});

test('two tabs tell two stories', async ({ page, context }) => {
  const first = await (await new DemoPage(page).open()).ready();
  await first.setLength(24);
  const second = await (await new DemoPage(await context.newPage()).open()).ready();
  await second.setLength(24);
  await first.tell.click();
  await second.tell.click();
  await Promise.all([first.finished(), second.finished()]);
  expect(await first.words.count()).toBeGreaterThan(5);
  expect(await second.words.count()).toBeGreaterThan(5);
});
