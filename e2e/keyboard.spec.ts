/** The whole visit without a pointer. */
import { expect, test } from 'playwright/test';
import { DemoPage } from './demo-page.ts';

// A software adapter on a busy machine: only a hang takes this long.
test.describe.configure({ timeout: 400_000 });

test('a story by keyboard alone: tell, stop, walk the words, pick an expert', async ({ page }) => {
  const demo = await (await new DemoPage(page).open()).ready();
  const press = (key: string): Promise<void> => page.keyboard.press(key);
  const tabTo = async (target: ReturnType<typeof page.locator>, key = 'Tab'): Promise<void> => {
    for (let i = 0; i < 30; i++) {
      await press(key);
      if (await target.evaluate((element) => element.matches(':focus'))) return;
    }
    throw new Error('thirty tabs did not reach it');
  };
  await expect(page.locator(':focus')).toHaveCount(0); // nothing steals the focus

  await tabTo(demo.story);
  await tabTo(demo.prompt);
  await press('Control+A');
  await page.keyboard.type('One day a cat');
  await press('Shift+Enter');
  await page.keyboard.type('and a dog');
  await expect(demo.prompt).toHaveValue('One day a cat\nand a dog');
  await press('Enter');
  await demo.begun();
  await expect(demo.prompt).toBeFocused();
  await press('Escape');
  await expect(demo.stats).toContainText('stopped');
  await expect(demo.prompt).toBeFocused();

  await tabTo(demo.story, 'Shift+Tab'); // past the buttons of the story
  for (let i = 0; i < 9; i++) await press('ArrowRight');
  await expect(demo.story.locator('.shown')).toHaveCount(1);
  await expect(demo.experts).toContainText('was made by');
  await press('ArrowLeft');

  await tabTo(demo.experts.locator('summary'));
  await press('Enter');
  await press('Tab'); // the first expert of the first layer
  await press('Enter');
  await expect(demo.experts).toContainText('is used most for:');
  expect(await demo.story.locator('.liked').count()).toBeGreaterThan(0);

  await demo.tell.focus();
  await press('Enter');
  await demo.begun();
  await demo.stop.focus();
  await press('Enter');
  await expect(demo.stats).toContainText('stopped');
  await expect(page.locator(':focus')).toHaveCount(1); // the focus is never lost
});

test('with reduced motion the picture keeps up without fading', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const demo = await (await new DemoPage(page).open()).ready();
  await demo.setLength(12);
  await demo.tellAll();
  const painted = await demo.experts.locator('canvas').evaluate((canvas: HTMLCanvasElement) => {
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  });
  expect(painted).toBeGreaterThan(3);
});

// Zoom takes room in CSS pixels: 1280 of them at 200 % are 640.
for (const [name, width] of [
  ['at 200 % zoom', 640],
  ['on a phone', 360],
  ['on a small phone', 320],
] as const) {
  test(`${name} the page is one column and nothing is cut off`, async ({ page }) => {
    await page.setViewportSize({ width, height: 720 });
    const demo = await (await new DemoPage(page).open()).ready();
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(await overflow()).toBeLessThanOrEqual(0);
    for (const name of ['Models', 'Settings', 'History']) {
      await page.getByText(name, { exact: true }).click();
      expect(await overflow()).toBeLessThanOrEqual(0);
      await page.getByText(name, { exact: true }).click();
    }
    const picker = await page.locator('.pick').evaluate((box) => {
      const inner = Math.max(...[...box.children].map((child) => child.getBoundingClientRect().right));
      return inner - box.parentElement!.getBoundingClientRect().right;
    });
    expect(picker).toBeLessThanOrEqual(0.5);
    const [story, experts] = await Promise.all([demo.story.boundingBox(), demo.experts.boundingBox()]);
    expect(experts!.y).toBeGreaterThan(story!.y + story!.height);
  });
}
