/** axe-core on every state that a visitor meets. */
import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from 'playwright/test';
import { DemoPage, openElementPage, PATIENCE } from './demo-page.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

/** In light and in dark: contrast is half of what axe looks at. */
async function violations(page: Page): Promise<string[]> {
  const all: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations: found } = await new AxeBuilder({ page }).analyze();
    all.push(
      ...found.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes.map(({ html }) => html.slice(0, 120))}`),
    );
  }
  return all;
}

test('the demo: idle, streaming and finished', async ({ page }) => {
  const demo = await (await new DemoPage(page).open()).ready();
  await page.getByText('Models', { exact: true }).click();
  expect(await violations(page)).toEqual([]);
  for (const name of ['Settings', 'History']) {
    await page.getByRole('button', { name }).click();
    await expect(page.locator('#talk').getByRole('region', { name })).toBeVisible();
    expect(await violations(page)).toEqual([]);
  }
  await demo.tell.click();
  await demo.begun();
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press('Escape'); // the story may have ended while axe looked
  await demo.finished();
  await demo.experts.getByText('Busiest experts per layer').click();
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Edit beginning' }).click();
  await expect(page.getByLabel('The beginning in other words')).toBeFocused();
  expect(await violations(page)).toEqual([]);
});

test('the demo: an error', async ({ page }) => {
  await new DemoPage(page).open({ model: '/models/nothing-here/' });
  await expect(page.getByRole('alert')).toBeVisible();
  expect(await violations(page)).toEqual([]);
});

test('the element: planned, streaming, finished', async ({ page }) => {
  const chat = await openElementPage(page);
  expect(await violations(page)).toEqual([]);
  await chat.getByRole('textbox').fill('Once upon a time');
  await chat.getByRole('button', { name: 'Send' }).click();
  await expect(chat.getByRole('article')).toContainText(/Once upon a time.{12}/s, PATIENCE);
  expect(await violations(page)).toEqual([]);
  await chat.getByRole('textbox').press('Escape');
  await expect(chat.getByRole('article')).not.toHaveAttribute('aria-busy', 'true');
  await expect(chat.getByRole('button', { name: 'Again' })).toBeVisible();
  expect(await violations(page)).toEqual([]);
  await chat.getByRole('button', { name: 'Settings' }).click();
  await expect(chat.getByLabel('Temperature')).toBeVisible();
  expect(await violations(page)).toEqual([]);
  await chat.getByRole('button', { name: 'History' }).click();
  await expect(chat.getByRole('listitem')).toContainText('Once upon a time');
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await chat.getByRole('button', { name: 'Edit' }).click();
  expect(await violations(page)).toEqual([]);
});

test('the element: consent to another server, by keyboard', async ({ page }) => {
  const asked: string[] = [];
  await page.route('**/v1/chat/completions', async (route) => {
    asked.push(route.request().postDataJSON().messages.at(-1).content);
    const chunk = (delta: object, reason: string | null) =>
      `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`;
    const body = chunk({ content: 'From afar.' }, null) + chunk({}, 'stop') + 'data: [DONE]\n\n';
    await route.fulfill({ body, contentType: 'text/event-stream' });
  });
  const chat = await openElementPage(page);
  await chat.evaluate((element) => {
    const remote = { baseURL: `${location.origin}/v1`, model: 'large', use: 'always' };
    Object.assign(element, { remote });
  });
  const field = chat.getByRole('textbox');
  const { host } = new URL(page.url());
  await expect(chat).toContainText(`Replies come from ${host}.`);
  const ask = async () => {
    await field.press('Enter');
    const dialog = chat.getByRole('dialog', { name: `Send what you write to ${host}?` });
    await expect(dialog).toHaveAccessibleDescription(/Nothing is sent before you agree\./);
    await expect(chat.getByRole('button', { name: 'Do not send' })).toBeFocused();
  };
  await field.fill('Hello');
  await ask();
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press('Enter'); // on “Do not send”
  await expect(field).toHaveValue('Hello');
  await expect(field).toBeFocused();
  await ask();
  await page.keyboard.press('Escape');
  await expect(field).toHaveValue('Hello');
  await ask();
  expect(asked).toEqual([]);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect(chat.getByRole('article').last()).toContainText('From afar.');
  expect(asked).toEqual(['Hello']);
  await expect(field).toBeFocused();
  expect(await violations(page)).toEqual([]);
});

test('the element: thoughts, that a chat template began', async ({ page }) => {
  await page.route('**/fable-omni-8m/tokenizer_config.json', async (route) => {
    const { range: _, ...headers } = route.request().headers();
    const config = await (await route.fetch({ headers })).json();
    const template =
      "{% for message in messages if message.role == 'user' %}{{ message.content }}{% endfor %}<think>";
    await route.fulfill({ json: { ...config, chat_template: template } });
  });
  const chat = await openElementPage(page);
  await chat.getByRole('textbox').fill('Once upon a time');
  await chat.getByRole('button', { name: 'Send' }).click();
  const reply = chat.getByRole('article', { name: 'Assistant' });
  const thoughts = reply.getByRole('group');
  await expect(thoughts).toContainText(/^Thoughts.{12}/s, PATIENCE); // there, though folded away
  await expect(thoughts.locator('div')).toBeHidden();
  expect(await violations(page)).toEqual([]);
  await thoughts.locator('summary').focus();
  await page.keyboard.press('Enter');
  await expect(thoughts.locator('div')).toBeVisible();
  expect(await violations(page)).toEqual([]);
});
