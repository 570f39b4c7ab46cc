/** The menu with the models: what each takes, and choosing, unloading and deleting without a reload. */
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from 'playwright/test';
import { DemoPage, PATIENCE } from './demo-page.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

test('models say what they take before anything is downloaded; one is chosen, unloaded and deleted', async ({
  page,
}) => {
  const demo = await (await new DemoPage(page).open({ device: 'cpu' })).ready();
  const menu = page.getByText('Models', { exact: true });
  const list = page.getByRole('list', { name: 'Models' });
  const row = (name: string) => list.getByRole('listitem').filter({ hasText: name });
  await menu.click();
  await expect(row('Fable Omni 8M')).toContainText(
    '17 MB to download; 21 MB of memory to hold all of it, 18 MB to stream it. Licence: MIT.',
  );
  await expect(row('Fable MoE 12M')).toContainText(/suggested · qwen3_moe/);
  await expect(page.locator('#models-suggestion')).toContainText(
    'Fable MoE 12M is the largest of these that fits.',
  );
  expect(page.workers()).toEqual([]);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  }
  await page.getByRole('button', { name: 'Choose Fable MoE 12M' }).click();
  await expect(demo.story).toContainText('24 MB', PATIENCE);
  await expect(list).toBeHidden();
  await demo.setLength(4);
  await demo.tellAll();

  await menu.click();
  await expect(row('Fable MoE 12M')).toContainText('in memory');
  await expect(row('Fable MoE 12M')).toContainText('kept on this device', { ignoreCase: true, ...PATIENCE });
  await page.getByRole('button', { name: 'Unload Fable MoE 12M' }).click();
  await expect(row('Fable MoE 12M')).not.toContainText('in memory');
  await expect(page.getByRole('button', { name: 'Choose Fable MoE 12M' })).toBeFocused();
  await page.getByRole('button', { name: 'Delete Fable MoE 12M' }).click();
  await expect(row('Fable MoE 12M')).not.toContainText('kept on this device', { ignoreCase: true });
  await page.keyboard.press('Escape');
  await expect(menu).toBeFocused();
  await demo.tellAll(); // it comes anew
  expect(demo.violations).toEqual([]);
});

test('a model that is in memory can be unloaded and deleted while another one is chosen', async ({
  page,
}) => {
  const demo = await (await new DemoPage(page).open({ device: 'cpu' })).ready();
  const menu = page.getByText('Models', { exact: true });
  const list = page.getByRole('list', { name: 'Models' });
  const row = (name: string) => list.getByRole('listitem').filter({ hasText: name });
  await demo.setLength(4);
  await demo.tellAll();
  const chooseOther = async (): Promise<void> => {
    await menu.click();
    await page.getByRole('button', { name: 'Choose Fable MoE 12M' }).click();
    await expect(demo.story).toContainText('24 MB', PATIENCE);
    await menu.click();
    await expect(row('Fable Omni 8M')).toContainText('in memory');
  };
  await chooseOther();
  await expect(row('Fable MoE 12M')).not.toContainText('in memory');
  await page.getByRole('button', { name: 'Unload Fable Omni 8M' }).click();
  await expect(row('Fable Omni 8M')).not.toContainText('in memory');
  await expect(page.getByRole('button', { name: 'Choose Fable Omni 8M' })).toBeFocused();
  await expect(row('Fable MoE 12M')).toHaveAttribute('aria-current', 'true'); // still chosen, and planned
  await expect(demo.story).toContainText('24 MB', PATIENCE);

  await page.getByRole('button', { name: 'Choose Fable Omni 8M' }).click();
  await expect(demo.story).toContainText('17 MB', PATIENCE);
  await demo.tellAll();
  await chooseOther();
  await page.getByRole('button', { name: 'Delete Fable Omni 8M' }).click(); // it is unloaded first
  await expect(row('Fable Omni 8M')).not.toContainText('kept on this device', {
    ignoreCase: true,
    ...PATIENCE,
  });
  await expect(row('Fable Omni 8M')).not.toContainText('in memory');
  await page.keyboard.press('Escape');
  await demo.tellAll(); // of the one that is chosen
  await menu.click();
  await expect(row('Fable MoE 12M')).toContainText('in memory');
});
