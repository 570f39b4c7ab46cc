/** The page of routing rules: two rules side by side, an expert muted, and a link that says all of it. */
import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from 'playwright/test';
import { PATIENCE, watchPolicy } from './demo-page.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

const QUERY = '?device=cpu';
const LINK = '#text=Once+upon+a+time&a=own&b=best-1&layer=0&length=6&seed=3';

/** A description of a visitor's own. */
const OWN = JSON.stringify({
  ...{ format: 'atomoe.layer', version: 1, hiddenSize: 192, experts: 32 },
  router: {
    score: { kind: 'linear', weight: 'model.layers.{layer}.mlp.gate.weight' },
    transform: [{ kind: 'softmax' }],
    select: { kind: 'all' },
  },
});

async function axe(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).analyze();
    found.push(
      ...violations.map(
        ({ id, nodes }) => `${colorScheme} ${id}: ${nodes.map(({ html }) => html.slice(0, 120))}`,
      ),
    );
  }
  return found;
}

test('rules are compared, an expert is muted, by keyboard; a link brings it all back @quick', async ({
  page,
}) => {
  const violations: string[] = [];
  const models: string[] = [];
  await watchPolicy(page, violations);
  page.on('request', (request) => {
    if (request.url().includes('/models/')) models.push(request.url());
  });
  await page.goto(`/routing.html${QUERY}${LINK}`);
  await expect(page.getByLabel('First rule', { exact: true })).toHaveValue('own');
  await expect(page.getByLabel('Second rule', { exact: true })).toHaveValue('best-1');
  await expect(page.getByLabel('Text that the model reads')).toHaveValue('Once upon a time');
  await expect(page.getByRole('status').first()).toContainText('24 MB');
  expect(await axe(page)).toEqual([]);
  expect(models).toEqual([]); // a link alone downloads nothing

  const compare = page.getByRole('button', { name: 'Compare' });
  await compare.focus();
  await page.keyboard.press('Enter');
  const done = page.getByText('Both texts are written.');
  await expect(done).toBeVisible(PATIENCE);
  await expect(page.locator('#text-a')).toHaveText(/^Once upon a time.{8}/s);
  const second = await page.locator('#text-b').textContent();
  await expect(page.locator('#figures-a')).toHaveText('4.0 experts in a layer, on average');
  await expect(page.locator('#figures-b')).toHaveText('1.0 experts in a layer, on average');

  // In the first layer both rules see the same: the second one's expert is the first one's best.
  const picture = page.getByRole('img').first();
  const [, a, b] = /First rule: (\d+) .*Second rule: (\d+) \(1\.00\)/.exec(
    (await picture.getAttribute('aria-label')) ?? '',
  ) ?? ['', 'no picture', ''];
  expect(a).toBe(b);
  await page.getByText('The picture in words').click();
  await expect(page.getByRole('row', { name: /^0 .*\(1\.00\)$/ })).toBeVisible();

  const mute = page.getByRole('button', { name: `Mute expert ${b}`, exact: true });
  await mute.focus();
  await page.keyboard.press('Space');
  await expect(mute).toHaveAttribute('aria-pressed', 'true');
  await expect(mute).toBeFocused();
  await expect(picture).not.toHaveAttribute('aria-label', new RegExp(`Second rule: ${b} `), PATIENCE);
  await expect(done).toBeVisible(PATIENCE);
  const muted = await page.locator('#text-b').textContent();

  await page.getByRole('slider', { name: 'Token' }).focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  await expect(page.locator('#token-name')).toHaveText('1: “Once”');
  await page.getByRole('radio', { name: 'Layer 0' }).focus();
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('heading', { name: 'Layer 1, token “Once”' })).toBeVisible();
  await page.getByRole('button', { name: 'Scores of all 32 experts' }).click();
  await expect(page.locator('#experts-body tr')).toHaveCount(32, PATIENCE);
  await expect(page.locator('#experts-body')).toContainText(/score 0\.\d\d/);
  expect(await axe(page)).toEqual([]);

  const link = await page.getByRole('textbox', { name: 'Link to this comparison' }).inputValue();
  const text = await page.locator('#text-b').textContent();
  expect(text).toBe(muted);
  const other = await page.context().newPage();
  await other.goto(link);
  await expect(other.getByRole('button', { name: `Layer 0, expert ${b}: muted` })).toBeVisible();
  await other.getByRole('button', { name: 'Compare' }).click();
  await expect(other.getByText('The scores are in the table.')).toBeVisible(PATIENCE);
  expect(await other.locator('#text-b').textContent()).toBe(muted);
  await expect(other.getByRole('heading', { name: 'Layer 1, token “Once”' })).toBeVisible();
  await expect(other.locator('#experts-body tr')).toHaveCount(32, PATIENCE);

  // Without its edit the rule writes what it wrote at first.
  await other.getByRole('button', { name: `Layer 0, expert ${b}: muted` }).click();
  await expect(other.locator('#edits')).toBeHidden();
  await expect(other.locator('#name-b')).not.toContainText('changed', PATIENCE);
  expect(await other.locator('#text-b').textContent()).toBe(second);
  expect(violations).toEqual([]);
});

test('a description is written and checked, experts are steered, and a link brings both back', async ({
  page,
}) => {
  const violations: string[] = [];
  await watchPolicy(page, violations);
  await page.goto(`/routing.html${QUERY}#text=Once+upon+a+time&a=own&b=best-2&layer=0&length=4`);
  const second = page.getByLabel('Second rule', { exact: true });
  await second.focus();
  await page.keyboard.press('End'); // the last of the list
  await expect(second).toHaveValue('described');
  const box = page.getByRole('textbox', { name: 'Description of the second rule' });
  const problems = page.locator('#problems-b');
  await expect(problems).toHaveText('The description is right.');
  const written = JSON.parse(await box.inputValue());
  expect(written.router.select).toEqual({ kind: 'topK', k: 2 }); // the rule that was chosen before

  const wrong = structuredClone(written);
  wrong.router.select.k = 0;
  wrong.router.score.kind = 'linaer';
  await box.fill(JSON.stringify(wrong, null, 2));
  await expect(problems.getByRole('listitem')).toHaveText([
    /^router\.score\.kind is "linaer"; wanted linear/,
    /^router\.select\.k is 0; wanted /,
  ]);
  await expect(box).toHaveAttribute('aria-invalid', 'true');
  expect(await axe(page)).toEqual([]);
  await page.getByRole('button', { name: 'Compare' }).click();
  await expect(box).toBeFocused();
  await expect(page.locator('#result')).toBeHidden();

  written.title = 'Best 3';
  written.router.select.k = 3;
  await box.fill(JSON.stringify(written, null, 2));
  await expect(problems).toHaveText('The description is right.');
  await page.getByRole('button', { name: 'Compare' }).click();
  const done = page.getByText('Both texts are written.');
  await expect(done).toBeVisible(PATIENCE);
  await expect(page.locator('#name-b')).toHaveText('Second: Best 3');
  await expect(page.locator('#figures-b')).toHaveText('3.0 experts in a layer, on average');

  // The first rule's fourth expert, which the second does not choose, by soft steering that is strong enough.
  const row = page.locator('#experts-body tr', { hasText: 'not chosen' }).first();
  const expert = (await row.getByRole('rowheader').textContent()) ?? '';
  const picture = page.getByRole('img').first();
  const chosen = new RegExp(`Second rule: (\\d+ \\([^)]*\\), )*${expert} \\(`);
  await expect(picture).not.toHaveAttribute('aria-label', chosen);
  await page.getByRole('radio', { name: 'Hard: always chosen' }).focus();
  await page.keyboard.press('ArrowUp');
  await expect(page.getByRole('radio', { name: 'Soft' })).toBeChecked();
  await page.getByRole('slider', { name: 'Strength of soft steering' }).focus();
  await page.keyboard.press('End');
  await expect(page.locator('#strength-words')).toHaveText('+4');
  await page.getByRole('button', { name: `Steer expert ${expert}`, exact: true }).click();
  await expect(picture).toHaveAttribute('aria-label', chosen, PATIENCE);
  await expect(page.getByRole('button', { name: `Layer 0, expert ${expert}: steered by 4` })).toBeVisible();
  await expect(done).toBeVisible(PATIENCE);
  expect(await axe(page)).toEqual([]);
  const steered = await page.locator('#text-b').textContent();

  const link = await page.getByRole('textbox', { name: 'Link to this comparison' }).inputValue();
  const other = await page.context().newPage();
  await other.goto(link);
  await expect(other.locator('#problems-b')).toHaveText('The description is right.');
  await other.getByRole('button', { name: 'Compare' }).click();
  await expect(other.getByText('Both texts are written.')).toBeVisible(PATIENCE);
  expect(await other.locator('#text-b').textContent()).toBe(steered);
  await other.getByRole('radio', { name: 'Off' }).check();
  await expect(other.locator('#edits-list')).toContainText('steered, but off');
  await expect(other.getByRole('img').first()).not.toHaveAttribute('aria-label', chosen, PATIENCE);
  expect(violations).toEqual([]);
});

test('from 320 to 1280 px nothing is cut off', async ({ page }) => {
  await page.goto(
    `/routing.html${QUERY}${LINK.replace('b=best-1', `b=described&mute=1.3&describedB=${encodeURIComponent(OWN)}`)}`,
  );
  const expectRoom = async (): Promise<void> => {
    for (const width of [320, 360, 640, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(overflow, `at ${width} px`).toBeLessThanOrEqual(0);
    }
  };
  await expectRoom();
  await page.getByRole('button', { name: 'Compare' }).click();
  await expect(page.getByText('Both texts are written.')).toBeVisible(PATIENCE);
  await page.getByText('The picture in words').click();
  await page.getByText('Options', { exact: true }).click();
  await expectRoom();
});
