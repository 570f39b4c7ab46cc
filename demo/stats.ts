/** The line under the story: speed, first token, length. */
import type { GenerateEvent } from '../src/engine/api.ts';
import type { ReplyFigures } from '../src/element/index.ts';

/** Counts while tokens come. */
export class LiveStats {
  readonly #askedAtMs: number;
  #tokens = 0;
  #waitedMs = 0;
  #firstMs = 0;
  #lastMs = 0;

  /** @param askedAtMs - when somebody pressed the button, by the clock of the page */
  constructor(askedAtMs: number) {
    this.#askedAtMs = askedAtMs;
  }

  hear(event: GenerateEvent & { kind: 'token' }): void {
    if (this.#tokens === 0) {
      this.#firstMs = event.atMs;
      this.#waitedMs = performance.now() - this.#askedAtMs;
    }
    this.#tokens++;
    this.#lastMs = event.atMs;
  }

  /** Whether no token has come yet. */
  get isEmpty(): boolean {
    return this.#tokens === 0;
  }

  text(): string {
    if (this.#tokens === 0) return 'Reading the prompt…';
    const perSecond = ((this.#tokens - 1) / (this.#lastMs - this.#firstMs)) * 1000;
    return line(this.#tokens > 3 ? perSecond : undefined, this.#waitedMs, this.#tokens);
  }
}

const ENDINGS = { stop: '', length: 'ended at the length set', abort: 'stopped' } as const;

/** All but the seed, which may be pressed. */
export function reportText({
  tokensPerSecond,
  firstTokenMs,
  completionTokens,
  reason,
}: ReplyFigures): string {
  return [line(tokensPerSecond, firstTokenMs, completionTokens), ENDINGS[reason]].filter(Boolean).join(' · ');
}

function line(perSecond: number | undefined, firstMs: number, tokens: number): string {
  const speed = perSecond && Number.isFinite(perSecond) ? [`${formatRate(perSecond)} tok/s`] : [];
  const count = tokens === 1 ? '1 token' : `${tokens} tokens`;
  return [...speed, `first token ${(firstMs / 1000).toFixed(firstMs < 995 ? 2 : 1)} s`, count].join(' · ');
}

function formatRate(rate: number): string {
  return rate < 9.95 ? rate.toFixed(1) : String(Math.round(rate));
}
