import type { StreamingDetokenizer } from '../../text/detokenizer.ts';
import { NO_MARKERS, type ReplyMarkers, type ToolCall } from '../../text/reply-markers.ts';
import { ReplySplitter, type ReplyPiece } from '../../text/reply-splitter.ts';
import { StopStrings } from '../../text/stop-strings.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type { ChatToolCall } from '../api.ts';

/** What a reply is read with. */
export interface ReplyReading {
  readonly markers: ReplyMarkers;
  readonly prompt: string; // as the chat template made it
}

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
  readonly #splitter: ReplySplitter;
  #hasStopped = false;
  text = '';
  reasoning = '';
  reasoningTokens = 0;
  readonly toolCalls: ChatToolCall[] = [];

  /** @param reading - undefined where the prompt was plain text: what continues it is all answer */
  constructor(tokenizer: Tokenizer, stop: readonly string[], reading?: ReplyReading) {
    this.#tokenizer = tokenizer;
    this.#detokenizer = tokenizer.stream({ continues: true });
    this.#stops = new StopStrings(stop);
    this.#splitter = new ReplySplitter(reading?.markers ?? NO_MARKERS, reading?.prompt);
  }

  push(id: number): TextStep {
    const hidden = this.#tokenizer.isSpecial(id) ? this.#tokenizer.rawToken(id) : undefined;
    const wasThinking = this.#splitter.isThinking;
    const { text, reasoning } = this.#take(this.#splitter.push(this.#detokenizer.push(id), hidden));
    const isThought = wasThinking || this.#splitter.isThinking || reasoning !== '';
    if (isThought) this.reasoningTokens += 1;
    return { text, ...(isThought ? { reasoning } : {}), isStopped: this.#hasStopped };
  }

  /** Ends the reply: what was held back is added to its texts. */
  end(): void {
    this.#take([...this.#splitter.push(this.#detokenizer.flush()), ...this.#splitter.flush()]);
    if (!this.#hasStopped) this.text += this.#stops.flush();
  }

  #take(pieces: readonly ReplyPiece[]): { text: string; reasoning: string } {
    let [text, reasoning] = ['', ''];
    for (const piece of pieces) {
      if (this.#hasStopped) break;
      if (piece.kind === 'call') this.toolCalls.push(named(piece.call));
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
}

/** Random: the answer to a call names it by its id. */
function named({ name, arguments: given }: ToolCall): ChatToolCall {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  const id = `call_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  return { id, type: 'function', function: { name, arguments: given } };
}
