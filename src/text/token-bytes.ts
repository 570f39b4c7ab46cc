/** The bytes of one token: where a character takes several tokens, each has only a part of it. */
import { unicodeToByte } from './byte-alphabet.ts';
import type { TokenTable } from './detokenizer.ts';
import type { DecoderConfig } from './token-stream.ts';

/** A token table that also gives the text of each token as the file writes it. */
export interface ByteTable extends TokenTable {
  tokenText(id: number): string;
}

/** @returns null where the id means no token */
export function tokenBytes(table: ByteTable, id: number): number[] | null {
  const raw = table.rawToken(id);
  if (raw === undefined) return null;
  if (table.isAdded(raw)) return utf8(raw);
  const kinds = decoderKinds(table.decoder);
  if (kinds.has('ByteLevel')) {
    const bytes = Array.from(raw, (letter) => unicodeToByte.get(letter));
    if (bytes.every((byte) => byte !== undefined)) return bytes;
  }
  const hex = kinds.has('ByteFallback') ? /^<0x([0-9A-Fa-f]{2})>$/.exec(raw)?.[1] : undefined;
  return hex === undefined ? utf8(table.tokenText(id)) : [Number.parseInt(hex, 16)];
}

function decoderKinds(config: DecoderConfig | null): Set<unknown> {
  const chain = config?.['decoders'];
  const stages = Array.isArray(chain) ? (chain as DecoderConfig[]) : config ? [config] : [];
  return new Set(stages.map((stage) => stage['type']));
}

function utf8(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}
