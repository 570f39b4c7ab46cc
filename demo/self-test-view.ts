/** The button that checks that less memory changes no word, and what came of it, to be shared. */
import type { Engine } from '../src/engine/api.ts';
import { button } from './notices.ts';
import { describeSelfTest, runSelfTest, type SelfTestReport } from './self-test.ts';

export interface SelfTestParts {
  readonly section: HTMLElement;
  readonly go: HTMLButtonElement;
  readonly result: HTMLElement; // role="status"
  readonly share: HTMLElement; // for the buttons
}

/** Positions that are compared. */
const MOST_TOKENS = 24;

/** Ids for what no reply has said yet: far apart, so that they need different experts. */
const STRIDE = 7919;

export class SelfTestView {
  readonly #parts: SelfTestParts;
  readonly #version: string;
  readonly #onEnd: () => void;
  #engine: Engine | undefined;
  #ids: number[] = []; // of the last reply
  #isRunning = false;

  /** @param onEnd hears that a test has ended: the memory is as it was, but was changed meanwhile */
  constructor(parts: SelfTestParts, version: string, onEnd: () => void) {
    this.#parts = parts;
    this.#version = version;
    this.#onEnd = onEnd;
    parts.go.addEventListener('click', () => void this.#run());
  }

  /** A model was loaded, or let go. */
  follow(engine: Engine | undefined): void {
    this.#engine = engine;
    this.#ids = [];
    const { section, result, share } = this.#parts;
    const { experts = 0 } = engine?.model?.plan ?? {};
    section.hidden = !engine || experts === 0 || engine.adapter.device === 'reference';
    result.textContent = '';
    share.replaceChildren();
  }

  /** A token of a reply: the test runs what was said last. */
  token(id: number, isFirst: boolean): void {
    if (isFirst) this.#ids = [];
    if (this.#ids.length < MOST_TOKENS) this.#ids.push(id);
  }

  async #run(): Promise<void> {
    const engine = this.#engine;
    const { go, result, share } = this.#parts;
    if (!engine?.model || this.#isRunning) return;
    this.#setRunning(true);
    share.replaceChildren();
    const say = (sentence: string): void => void (result.textContent = sentence);
    try {
      const ids = this.#tokens(engine.model.plan.vocab, engine.model.plan.contextTokens);
      const report = await runSelfTest(engine, { version: this.#version, ids, onProgress: say });
      say(describeSelfTest(report));
      this.#offer(report);
    } catch (error) {
      say(`The check could not be finished: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#setRunning(false);
    go.textContent = 'Check again';
    this.#onEnd();
  }

  #setRunning(isRunning: boolean): void {
    this.#isRunning = isRunning;
    this.#parts.go.setAttribute('aria-disabled', String(isRunning)); // it keeps the focus
  }

  #tokens(vocab: number, contextTokens: number): number[] {
    const spread = Array.from({ length: MOST_TOKENS }, (_, index) => ((index + 1) * STRIDE) % vocab);
    const ids = this.#ids.length === MOST_TOKENS ? this.#ids : spread;
    return ids.slice(0, contextTokens);
  }

  #offer(report: SelfTestReport): void {
    const text = `${JSON.stringify(report, undefined, 2)}\n`;
    const copy = button('Copy the report', () => void this.#copy(copy, text), 'small quiet-button');
    const download = button('Download it', () => save(text), 'small quiet-button');
    this.#parts.share.replaceChildren(copy, download);
  }

  async #copy(pressed: HTMLButtonElement, text: string): Promise<void> {
    const isCopied = await navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
    pressed.textContent = isCopied ? 'Copied' : 'This browser refused; download it';
  }
}

function save(text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  link.download = 'atomoe-self-test.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
