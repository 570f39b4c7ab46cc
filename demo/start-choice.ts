/** Start now, or fetch the whole model first: what each takes before the first word. */
import type { LoadOptions, ModelPlan, StreamingOptions } from '../src/engine/api.ts';
import { bytesBeforeFirstToken, formatBytes, formatPart } from '../src/element/index.ts';
import { element } from './notices.ts';

type Start = NonNullable<StreamingOptions['start']>;

/** Letters of a token, about, in English. */
const LETTERS_PER_TOKEN = 4;

/** The choice, and the options of the next load that follow from it. */
export class StartChoice {
  /** The store keeps this object and reads it when it loads. */
  readonly loadOptions: LoadOptions = { streaming: { start: 'now' } };
  readonly #first = element('span', '');
  readonly #whole = element('span', '');
  #start: Start = 'now';
  readonly #element = element(
    'fieldset',
    'choice',
    element('legend', '', 'How to begin'),
    this.#option('now', 'Start now', this.#first),
    this.#option('whole', 'All of it first', this.#whole),
  );

  /** For a model that comes over a network to a GPU; other models are read whole. */
  offer(plan: ModelPlan, prompt: string): HTMLElement {
    const tokens = Math.max(1, Math.ceil(prompt.length / LETTERS_PER_TOKEN));
    const { download } = plan.bytes;
    const first = formatPart(bytesBeforeFirstToken(plan, tokens), download);
    this.#first.textContent = `at most ${first} before the first word, the rest in the background`;
    this.#whole.textContent = `${formatBytes(download)} before the first word`;
    return this.#element;
  }

  /** Whether there is a choice at all. */
  enable(isEnabled: boolean): void {
    this.loadOptions.streaming = { start: isEnabled ? this.#start : 'whole' };
  }

  #option(start: Start, name: string, detail: HTMLElement): HTMLElement {
    const input = element('input', '');
    input.type = 'radio';
    input.name = 'start';
    input.checked = start === this.#start;
    input.addEventListener('change', () => {
      this.#start = start;
      this.enable(true);
    });
    return element('label', '', input, element('span', '', element('strong', '', name), ': ', detail));
  }
}
