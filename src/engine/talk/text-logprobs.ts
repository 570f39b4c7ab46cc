/** `logprobs` of OpenAI's older API: lists by token, and maps that have tokens as keys. */
import type { TextLogprobs, TokenLogprob } from '../api.ts';

/** A token with what is reported of it; no probability where nothing comes before it. */
export interface ReportedToken extends Omit<TokenLogprob, 'logprob'> {
  readonly logprob: number | null;
  readonly alternatives?: readonly TokenLogprob[]; // the likeliest first
}

/** Reports the tokens of one choice, which come in their order. */
export class TextReport {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #offset = 0; // UTF-16 units of the characters that are whole so far

  add(tokens: readonly ReportedToken[]): TextLogprobs {
    return {
      tokens: tokens.map(nameOf),
      token_logprobs: tokens.map(({ logprob }) => logprob),
      top_logprobs: tokens.map(topOf),
      text_offset: tokens.map((token) => this.#place(token)),
    };
  }

  /** Where a token begins: of a part of a character, where that begins. */
  #place({ text, bytes }: ReportedToken): number {
    const offset = this.#offset;
    const own = bytes ? Uint8Array.from(bytes) : new TextEncoder().encode(text);
    this.#offset += this.#decoder.decode(own, { stream: true }).length;
    return offset;
  }
}

/** The report of one choice from those of its parts. */
export function joinLogprobs(first: TextLogprobs, next: TextLogprobs): TextLogprobs {
  return {
    tokens: [...first.tokens, ...next.tokens],
    token_logprobs: [...first.token_logprobs, ...next.token_logprobs],
    top_logprobs: [...first.top_logprobs, ...next.top_logprobs],
    text_offset: [...first.text_offset, ...next.text_offset],
  };
}

/** The likeliest tokens and the one that came. Of several with one text, those that did not come are named by their ids. */
function topOf(token: ReportedToken): Record<string, number> | null {
  const { logprob, alternatives = [] } = token;
  if (logprob === null) return null;
  const taken = new Map([[nameOf(token), token.id]]);
  const keyOf = (each: TokenLogprob) => {
    const name = nameOf(each);
    const key = (taken.get(name) ?? each.id) === each.id ? name : `token_id:${each.id}`;
    taken.set(key, each.id);
    return key;
  };
  const top = alternatives.map((each) => [keyOf(each), each.logprob] as const);
  return Object.fromEntries([...top, [nameOf(token), logprob]]);
}

/** As OpenAI writes a token: its text, and a part of a character as `bytes:\xe2\x96`. */
function nameOf({ text, bytes }: Pick<TokenLogprob, 'text' | 'bytes'>): string {
  const isPart = bytes && text.includes('\ufffd') && !isUtf8(bytes);
  return isPart ? `bytes:${bytes.map(escaped).join('')}` : text;
}

function isUtf8(bytes: readonly number[]): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
    return true;
  } catch {
    return false;
  }
}

const BACKSLASH = 0x5c;

function escaped(byte: number): string {
  const isPrintable = byte >= 0x20 && byte < 0x7f && byte !== BACKSLASH;
  return isPrintable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}
