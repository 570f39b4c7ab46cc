import type { StreamingDetokenizer } from '../../text/detokenizer.ts';
import type { ToolCall } from '../../text/reply-markers.ts';
import type { ReplyPiece, ReplySplitter } from '../../text/reply-splitter.ts';
import { StopStrings } from '../../text/stop-strings.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type { ChatToolCall } from '../api.ts';

/** What one token adds. */
export interface TextStep {
  readonly text: string;
  readonly reasoning?: string; // only while the model thinks
  readonly isStopped: boolean; // a stop string has ended the answer
}

/** The text of one reply as its tokens come: thoughts, answer and calls of tools. */
export class ReplyText {
  readonly #tokenizer: Tokenizer;
  readonly #detokenizer: StreamingDetokenizer;
  readonly #stops: StopStrings;
  readonly #splitter: ReplySplitter | undefined;
  #hasStopped = false;
  text = '';
  reasoning = '';
  reasoningTokens = 0;
  readonly toolCalls: ChatToolCall[] = [];

  /** @param splitter - undefined where the prompt was plain text: what continues it is all answer */
  constructor(tokenizer: Tokenizer, stop: readonly string[], splitter?: ReplySplitter) {
    this.#tokenizer = tokenizer;
    this.#detokenizer = tokenizer.stream({ continues: true });
    this.#stops = new StopStrings(stop);
    this.#splitter = splitter;
  }

  /** Whether the thoughts have begun and not ended. */
  get isThinking(): boolean {
    return this.#splitter?.isThinking ?? false;
  }

  push(id: number): TextStep {
    const hidden = this.#tokenizer.isSpecial(id) ? this.#tokenizer.rawToken(id) : undefined;
    const wasThinking = this.isThinking;
    const { text, reasoning } = this.#take(this.#divide(this.#detokenizer.push(id), hidden));
    const isThought = wasThinking || this.isThinking || reasoning !== '';
    if (isThought) this.reasoningTokens += 1;
    return { text, ...(isThought ? { reasoning } : {}), isStopped: this.#hasStopped };
  }

  /** Ends the reply: what was held back is added to its texts. */
  end(): void {
    this.#take([...this.#divide(this.#detokenizer.flush()), ...(this.#splitter?.flush() ?? [])]);
    if (!this.#hasStopped) this.text += this.#stops.flush();
  }

  #divide(text: string, hidden = ''): readonly ReplyPiece[] {
    if (this.#splitter) return this.#splitter.push(text, hidden);
    return [
      { kind: 'answer', text, isHidden: false },
      { kind: 'answer', text: hidden, isHidden: true },
    ];
  }

  #take(pieces: readonly ReplyPiece[]): { text: string; reasoning: string } {
    let [text, reasoning] = ['', ''];
    for (const piece of pieces) {
      if (this.#hasStopped) break;
      if (piece.kind === 'call') for (const call of piece.calls) this.toolCalls.push(this.#named(call));
      if (piece.kind === 'thoughts' && !piece.isHidden) reasoning += piece.text;
      if (piece.kind !== 'answer') continue;
      const step = piece.isHidden ? this.#stops.push('', piece.text) : this.#stops.push(piece.text);
      text += step.emit;
      this.#hasStopped = step.stopped;
    }
    this.text += text;
    this.reasoning += reasoning;
    return { text, reasoning };
  }

  /** The answer to a call names it by its id: the model's own, or a random one. */
  #named({ id, name, arguments: given }: ToolCall): ChatToolCall {
    const isOwn = id !== undefined && this.toolCalls.every((call) => call.id !== id);
    return { id: isOwn ? id : randomId(), type: 'function', function: { name, arguments: given } };
  }
}

function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `call_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
