/** A tab that dies with a model in memory: the next visit takes half, and says so. */
import { expect, test } from 'playwright/test';
import { DemoPage, PATIENCE } from './demo-page.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 120_000 });

const HALVED = 'The last visit ended while a model was in memory';

test('after a killed tab the budget is halved; after one that was closed it is not', async ({ context }) => {
  // A phone that says nothing of its memory.
  await context.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, 'deviceMemory', { value: undefined });
  });
  const closed = await new DemoPage(await context.newPage()).open();
  await closed.ready();
  const holdsModel = () => localStorage.getItem('atomoe:loading') !== null;
  await closed.tell.click();
  await closed.page.waitForFunction(holdsModel, undefined, PATIENCE);
  await closed.page.goto('about:blank');

  const killed = await new DemoPage(await context.newPage()).open();
  await killed.ready();
  await killed.tell.click();
  await killed.page.waitForFunction(holdsModel, undefined, PATIENCE);
  await expect(killed.stage).not.toContainText(HALVED);
  const session = await context.newCDPSession(killed.page);
  void session.send('Page.crash').catch(() => {}); // never answered
  await killed.page.waitForEvent('crash');
  await killed.page.close();

  const next = await new DemoPage(await context.newPage()).open();
  await next.ready();
  await next.setLength(4);
  await next.tellAll();
  await expect(next.stage).toContainText(`${HALVED}, so this one takes at most 1024 MiB`);
  expect(await next.page.evaluate(holdsModel)).toBe(false);
});
