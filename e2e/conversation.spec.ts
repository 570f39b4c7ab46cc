/** What can be done with what was said on the story page: by a story model, and by one with a chat template. */
import AxeBuilder from '@axe-core/playwright';
import { readFile } from 'node:fs/promises';
import { expect, test, type Page } from 'playwright/test';
import { DemoPage, PATIENCE } from './demo-page.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

/** The CPU is faster than a software adapter, and nothing here is about kernels. */
async function open(page: Page): Promise<DemoPage> {
  return (await new DemoPage(page).open({ device: 'cpu' })).ready();
}

test('a story: again, versions with their experts, go on, another beginning, copy, delete @quick', async ({
  page,
  context,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const demo = await open(page);
  const button = (name: string) => page.getByRole('button', { name, exact: true });
  await demo.setLength(12);
  await demo.tellAll();
  const first = await demo.text();

  await button('Again').click();
  await expect(demo.stage).toContainText('2/2', PATIENCE);
  await demo.finished();
  await expect(button('Again')).toBeFocused(); // it was gone while the story was told
  const second = await demo.text();
  expect(second).not.toBe(first);

  await button('Previous version').click();
  await expect.poll(() => demo.text()).toBe(first);
  const word = demo.words.nth(3);
  await word.hover();
  await expect(demo.experts).toContainText(`“${await word.textContent()}” was made by`);

  await button('Continue').click();
  await expect.poll(async () => (await demo.text()).length, PATIENCE).toBeGreaterThan(first.length);
  await demo.finished();
  const longer = await demo.text();
  expect(longer.startsWith(first)).toBe(true);
  await button('Copy').click();
  await expect(page.locator('#status')).toHaveText('Copied');
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(longer.trim());

  await button('Edit beginning').click();
  await page.getByLabel('The beginning in other words').fill('One day a cat');
  await page.keyboard.press('Enter');
  await expect.poll(() => demo.text(), PATIENCE).toMatch(/^One day a cat./);
  await demo.finished();
  await button('Previous version').first().click();
  await expect.poll(() => demo.text()).toBe(longer);

  await button('Delete').click();
  await expect.poll(() => demo.text()).toBe(second);
  await button('Delete').click(); // the only one of this beginning: that goes, too
  await expect.poll(() => demo.text()).toMatch(/^One day a cat/);
  await button('Delete').click();
  await expect(demo.story).toHaveText('Write a beginning below and press the button.');
  expect(demo.violations).toEqual([]);
});

test('the seed of a story is for the next ones, until it is given back', async ({ page }) => {
  const demo = await open(page);
  await demo.setLength(12);
  await demo.tellAll();
  const first = await demo.text();
  const seed = page.getByRole('button', { name: /^seed \d+$/ });
  await seed.click();
  await expect(seed).toHaveAttribute('aria-pressed', 'true');
  await demo.tellAll();
  expect(await demo.text()).toBe(first);
  await seed.click();
  await expect(seed).toHaveAttribute('aria-pressed', 'false');
  await demo.tellAll();
  expect(await demo.text()).not.toBe(first);
});

test('stories are kept on the device: found, exported and opened before anything is downloaded', async ({
  page,
}) => {
  const demo = await open(page);
  await demo.setLength(12);
  await demo.tellAll();
  const first = await demo.text();
  await demo.prompt.fill('The little robot');
  await demo.tellAll();
  await page.reload();
  await demo.ready();

  const panel = page.getByRole('region', { name: 'History' });
  await page.getByRole('button', { name: 'History' }).click();
  await expect(panel.getByRole('listitem')).toHaveCount(2);
  const download = page.waitForEvent('download');
  await panel.getByRole('button', { name: 'Export' }).click();
  const file = await readFile(await (await download).path(), 'utf8');
  expect(file).toContain('The little robot');
  await panel.getByRole('searchbox').fill('upon');
  await expect(panel.getByRole('listitem')).toHaveCount(1);
  await panel.getByRole('listitem').getByRole('button').first().click();
  await expect.poll(() => demo.text()).toBe(first);
  expect(page.workers()).toEqual([]);

  // And it goes on from there: the model is looked up and loaded first.
  await page
    .getByRole('button', { name: 'Continue' })
    .or(page.getByRole('button', { name: 'Again' }))
    .first()
    .click();
  await demo.finished();
  expect((await demo.text()).startsWith('Once upon a time')).toBe(true);
});

test('a model with a chat template talks in turns: a message, its reply, figures, settings', async ({
  page,
}) => {
  await page.route('**/fable-omni-8m/tokenizer_config.json', async (route) => {
    const { range: _, ...headers } = route.request().headers();
    const config = await (await route.fetch({ headers })).json();
    const template =
      "{% for message in messages %}{% if message.role == 'user' %}{{ message.content }}{% endif %}{% endfor %}";
    await route.fulfill({ json: { ...config, chat_template: template } });
  });
  const demo = await open(page);
  await demo.setLength(12);
  await demo.tell.click();
  const reply = page.getByRole('article', { name: 'Assistant' });
  await expect(reply).toContainText(/.{12}/s, PATIENCE);
  await expect(page.locator('#talk')).toContainText(/12 tokens · .*seed \d+/, PATIENCE);
  await expect(page.getByRole('button', { name: 'Send' })).toBeEnabled();
  await expect(page.getByRole('textbox', { name: 'Message' })).toHaveValue('');

  await page.getByRole('textbox', { name: 'Message' }).fill('And then');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('article')).toHaveCount(4);
  await expect(page.getByRole('button', { name: 'Again' })).toHaveCount(2, PATIENCE);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  }
  await page.getByRole('button', { name: 'Edit', exact: true }).first().click();
  await page.getByLabel('Your message in other words').fill('A bear');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('article')).toHaveCount(2);
  await expect(page.locator('#talk')).toContainText('2/2');
  expect(demo.violations).toEqual([]);
});
