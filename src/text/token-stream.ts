/**
 * Token strings to text, one at a time. A tokenizer.json names a decoder, often a chain of them; each is here a small
 * stage with state, so that a token costs the same wherever it is in a reply. Pieces come out of the last stage
 * as soon as no later token can change them.
 */
import { AtomoeError } from '../errors.ts';
import { unicodeToByte } from './byte-alphabet.ts';

/** One stage: takes a piece, gives the pieces that are settled by it. */
export interface Stage {
  push(piece: string): string[];
  /** Ends the text: gives what was held back. */
  flush(): string[];
}

/** A tokenizer.json `decoder`. */
export type DecoderConfig = Readonly<Record<string, unknown>>;

/** What the stages of a decoder know of the vocabulary. */
export interface StageContext {
  /** Added tokens are written as they are, and end a run of bytes. */
  isAdded(token: string): boolean;
  /** The text continues an earlier one: its first space is not dropped. */
  readonly continues: boolean;
}

/**
 * @param config - the `decoder` of a tokenizer.json, null where it has none
 * @throws {AtomoeError} unsupported-model - a decoder that cannot run token by token
 */
export function createStage(config: DecoderConfig | null, context: StageContext): Stage {
  if (config === null) return spacedStage(context);
  switch (config['type']) {
    case 'Sequence':
      return sequenceStage(asList(config['decoders']), context);
    case 'ByteLevel':
      return byteLevelStage(context);
    case 'ByteFallback':
      return byteFallbackStage();
    case 'Replace':
      return mapStage(replacer(config));
    case 'Fuse':
      return mapStage((piece) => piece);
    case 'Strip':
      return mapStage((piece) => stripEach(piece, config));
    case 'Metaspace':
      return metaspaceStage(String(config['replacement'] ?? '\u2581'), context);
    default:
      throw unsupported(config);
  }
}

function sequenceStage(configs: readonly DecoderConfig[], context: StageContext): Stage {
  let isFused = false; // from Fuse on, pieces are parts of one long string
  const stages = configs.map((config) => {
    if (isFused && config['type'] === 'Replace') throw unsupported(config, ' after Fuse');
    const stage =
      isFused && config['type'] === 'Strip' ? stripEnds(config, context) : createStage(config, context);
    isFused ||= config['type'] === 'Fuse';
    return stage;
  });
  const runFrom = (first: number, pieces: string[]) =>
    stages.slice(first).reduce((settled, stage) => settled.flatMap((piece) => stage.push(piece)), pieces);
  return {
    push: (piece) => runFrom(0, [piece]),
    // What a stage held back still has to pass the later ones.
    flush: () => stages.flatMap((stage, i) => runFrom(i + 1, stage.flush())),
  };
}

/** Every piece on its own. */
function mapStage(map: (piece: string) => string): Stage {
  return { push: (piece) => [map(piece)], flush: () => [] };
}

/** Letters that mean bytes (GPT-2's alphabet) to UTF-8 text. */
function byteLevelStage({ isAdded }: StageContext): Stage {
  const run = new ByteRun();
  return {
    push(token) {
      if (isAdded(token)) return [run.end(), token];
      const bytes = Array.from(token, (letter) => unicodeToByte.get(letter));
      if (bytes.every((byte) => byte !== undefined)) return [run.push(Uint8Array.from(bytes))];
      return [run.push(new TextEncoder().encode(token))]; // no byte-level token, so it is plain text
    },
    flush: () => [run.end()],
  };
}

/** `<0xE2>` and the like to bytes, the rest as it is. */
function byteFallbackStage(): Stage {
  const run = new ByteRun();
  return {
    push(token) {
      const match = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
      return match ? [run.push(Uint8Array.of(Number.parseInt(match[1] ?? '', 16)))] : [run.end(), token];
    },
    flush: () => [run.end()],
  };
}

/** UTF-8 across pushes: half a character waits for its other half. */
class ByteRun {
  #decoder: TextDecoder | undefined; // of the run at hand

  push(bytes: Uint8Array): string {
    this.#decoder ??= new TextDecoder('utf-8', { ignoreBOM: true }); // a mark in a text is part of it
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** Ends the run; half a character becomes U+FFFD. */
  end(): string {
    const rest = this.#decoder?.decode() ?? '';
    this.#decoder = undefined;
    return rest;
  }
}

function metaspaceStage(replacement: string, { continues }: StageContext): Stage {
  let isFirst = !continues;
  return mapStage((piece) => {
    const text = piece.replaceAll(replacement, ' ');
    const trimmed = isFirst && text.startsWith(' ') ? text.slice(1) : text;
    isFirst = false;
    return trimmed;
  });
}

/** Without a decoder, tokens are words. */
function spacedStage({ continues }: StageContext): Stage {
  let isFirst = !continues;
  return mapStage((piece) => {
    const text = isFirst ? piece : ` ${piece}`;
    isFirst = false;
    return text;
  });
}

/** A chain of replacements may lengthen a token again and again. */
const LONGEST_PIECE = 1_000_000;

function replacer(config: DecoderConfig): (piece: string) => string {
  const content = String(config['content'] ?? '');
  const pattern = (config['pattern'] ?? {}) as { String?: unknown; Regex?: unknown };
  if (typeof pattern.String === 'string') {
    const wanted = pattern.String;
    return (piece) => {
      const parts = piece.split(wanted);
      if ((parts.length - 1) * content.length <= LONGEST_PIECE) return parts.join(content);
      throw new AtomoeError(
        'bad-file',
        `tokenizer.json: its decoder makes more than ${LONGEST_PIECE} letters of one token; wanted a text; choose another ` +
          'model',
      );
    };
  }
  throw unsupported(config, ' with a regular expression');
}

/** Strip before Fuse: up to `start` and `stop` copies of `content` at the ends of every piece. */
function stripEach(piece: string, config: DecoderConfig): string {
  const { content, start, stop } = stripRule(config);
  let from = 0;
  let to = piece.length;
  while (from < start && from < to && piece[from] === content) from++;
  while (piece.length - to < stop && to > from && piece[to - 1] === content) to--;
  return piece.slice(from, to);
}

/** Strip after Fuse: the same at the ends of the whole text. */
function stripEnds(config: DecoderConfig, { continues }: StageContext): Stage {
  const { content, start, stop } = stripRule(config);
  let toDrop = continues ? 0 : start;
  let held = ''; // copies of content that may turn out to be the end
  return {
    push(piece) {
      let from = 0;
      while (toDrop > 0 && from < piece.length && piece[from] === content) {
        from++;
        toDrop--;
      }
      if (from < piece.length) toDrop = 0;
      const text = held + piece.slice(from);
      let to = text.length;
      while (text.length - to < stop && to > 0 && text[to - 1] === content) to--;
      held = text.slice(to);
      return [text.slice(0, to)];
    },
    flush: () => [],
  };
}

function stripRule(config: DecoderConfig): { content: string; start: number; stop: number } {
  return {
    content: String(config['content'] ?? ' '),
    start: Number(config['start'] ?? 0),
    stop: Number(config['stop'] ?? 0),
  };
}

function asList(value: unknown): DecoderConfig[] {
  return Array.isArray(value) ? (value as DecoderConfig[]) : [];
}

function unsupported(config: DecoderConfig, detail = ''): AtomoeError {
  return new AtomoeError(
    'unsupported-model',
    `tokenizer.json: the decoder ${JSON.stringify(config['type'])}${detail} cannot write text token by token; ` +
      `ByteLevel, ByteFallback, Metaspace, Replace, Strip and Fuse can; choose another model`,
  );
}
