/** The demo as a visitor uses it. */
import { expect, type Locator, type Page } from 'playwright/test';

/** Loading and telling on a software adapter, on a machine that has other work: only a hang takes longer. */
export const PATIENCE = { timeout: 150_000 };

export class DemoPage {
  readonly page: Page;
  readonly story: Locator;
  readonly stage: Locator; // the story with all that is said about it
  readonly words: Locator; // of a story that is told here, the visitor's own left out; none of the recorded one's
  readonly tell: Locator;
  readonly stop: Locator;
  readonly prompt: Locator;
  readonly stats: Locator;
  readonly experts: Locator;
  readonly violations: string[] = []; // of the page's content policy
  readonly strangers: string[] = []; // requests to anywhere else

  constructor(page: Page) {
    this.page = page;
    this.story = page.getByRole('log', { name: 'Story' });
    this.stage = page.locator('.talk');
    this.words = page.locator('#story:not([data-recording]) .word:not(.from-you)');
    this.tell = page.getByRole('button', { name: 'Tell me a story' });
    this.stop = page.getByRole('button', { name: 'Stop' });
    this.prompt = page.getByLabel('How the story begins');
    this.stats = page.locator('#stats');
    this.experts = page.locator('atomoe-experts');
  }

  /** Opens the demo; kernels are pinned, since timing them on a software adapter takes longer than any test, and
   * so is the GPU: the CPU is faster than a software adapter.
   *
   * @param site - another server of the page than the one that all tests share
   */
  async open(
    { device = 'gpu', ...query }: Readonly<Record<string, string>> = { tuning: 'off' },
    site = '',
  ): Promise<this> {
    await watchPolicy(this.page, this.violations);
    await this.page.goto(`${site}/?${new URLSearchParams({ device, ...query })}`);
    const { origin } = new URL(this.page.url());
    this.page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !url.startsWith('data:')) this.strangers.push(url);
    });
    return this;
  }

  /** Waits until the button will work. */
  async ready(): Promise<this> {
    await expect(this.stage).toContainText('Press “Tell me a story”', PATIENCE);
    return this;
  }

  /** Shows a panel of the board beside the story. */
  async show(tab: 'Experts' | 'Memory' | 'Report'): Promise<void> {
    await this.page.getByRole('tab', { name: tab }).click();
  }

  async setLength(tokens: number): Promise<void> {
    await this.set('Most tokens per reply', tokens);
  }

  /** Sets one of the numbers in the settings. */
  async set(label: string, value: number): Promise<void> {
    await this.page.getByRole('button', { name: 'Settings' }).click();
    const field = this.page.getByLabel(label, { exact: true });
    await field.fill(String(value));
    await field.press('Escape'); // closes the settings: what was written counts
  }

  /** Waits until the story has come this far. */
  async begun(words = 3): Promise<void> {
    await expect(this.words.nth(words - 1)).toBeVisible(PATIENCE);
  }

  /** Tells a story to its end. */
  async tellAll(): Promise<void> {
    await this.tell.click();
    await this.finished();
  }

  /** Waits for the end of a story: the final line names the seed. */
  async finished(): Promise<void> {
    await expect(this.stats).toContainText('seed', PATIENCE);
    await expect(this.tell).toBeEnabled();
  }

  async text(): Promise<string> {
    return (await this.story.textContent()) ?? '';
  }
}

/** Collects violations of the content policy, from the first script on. */
export async function watchPolicy(page: Page, violations: string[]): Promise<void> {
  await page.exposeFunction('reportViolation', (text: string) => violations.push(text));
  await page.addInitScript(() => {
    const { reportViolation } = globalThis as unknown as { reportViolation(text: string): Promise<void> };
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) => {
      void reportViolation(`${violatedDirective} ${blockedURI} ${sample}`);
    });
  });
}

/** Opens the page that has the element and nothing else, with pinned kernels. */
export async function openElementPage(page: Page, site = ''): Promise<Locator> {
  await page.route('**/chat.html', async (route) => {
    const response = await route.fetch();
    const html = await response.text();
    await route.fulfill({ response, body: html.replace('<atomoe-chat ', '<atomoe-chat tuning="off" ') });
  });
  await page.goto(`${site}/chat.html`);
  const chat = page.locator('atomoe-chat');
  await expect(chat).toContainText('Loading downloads 17 MB', PATIENCE);
  return chat;
}
