/** axe-core on every state that a visitor meets. */
import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from 'playwright/test';
import { DemoPage } from './demo-page.ts';

async function violations(page: Page): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page }).analyze();
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`idle, streaming and finished, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme });
    const demo = await (await new DemoPage(page).open()).ready();
    await page.getByText('Open another model').click();
    await page.getByText('Options', { exact: true }).click();
    expect(await violations(page)).toEqual([]);
    await demo.tell.click();
    await expect(demo.words.nth(3)).toBeVisible();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press('Escape'); // the story may have ended while axe looked
    await demo.finished();
    await demo.experts.getByText('Busiest experts per layer').click();
    expect(await violations(page)).toEqual([]);
  });
}

test('an error', async ({ page }) => {
  await new DemoPage(page).open('?model=/models/nothing-here/');
  await expect(page.getByRole('alert')).toBeVisible();
  expect(await violations(page)).toEqual([]);
});

test('the element: planned, streaming, finished', async ({ page }) => {
  await page.goto('/chat.html');
  const chat = page.locator('atomoe-chat');
  await expect(chat).toContainText('Loading downloads 17 MB');
  expect(await violations(page)).toEqual([]);
  await chat.getByRole('textbox').fill('Once upon a time');
  await chat.getByRole('button', { name: 'Send' }).click();
  await expect(chat.getByRole('article')).toContainText(/Once upon a time.{20}/s);
  expect(await violations(page)).toEqual([]);
  await chat.getByRole('textbox').press('Escape');
  await expect(chat.getByRole('article')).not.toHaveAttribute('aria-busy', 'true');
  expect(await violations(page)).toEqual([]);
});
