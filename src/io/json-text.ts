/** JSON that others wrote: bounded before it is parsed, and with the numbers that Python writes. */

/** How much structure a text may have: parsing, printing and walking it cost memory and stack. */
export interface JsonBounds {
  readonly depth: number;
  readonly values: number; // commas and opened brackets
}

/** What model files need: real configs are 6 deep, the largest tokenizers have 3 million values. */
export const MODEL_JSON: JsonBounds = { depth: 64, values: 16_000_000 };

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

/**
 * What of a text goes beyond the bounds, before anything is made of it.
 *
 * @returns undefined when nothing does
 */
export function beyondBounds(text: string, { depth: mostDepth, values: mostValues }: JsonBounds) {
  let depth = 0;
  let values = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = closingQuote(text, i);
    else if (isOpening(code)) {
      depth += 1;
      values += 1;
      if (depth > mostDepth) return `is nested deeper than ${mostDepth} levels`;
    } else if (isClosing(code)) depth -= 1;
    else if (code === COMMA) values += 1;
    if (values > mostValues) return `holds more than ${mostValues} values`;
  }
  return undefined;
}

function isOpening(code: number): boolean {
  return code === 0x5b || code === 0x7b;
}

function isClosing(code: number): boolean {
  return code === 0x5d || code === 0x7d;
}

/** Index of the quote that closes the string opened at `start`; the text's length where none does. */
function closingQuote(text: string, start: number): number {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return end;
  }
}

/** Represents NaN while a text is parsed: no string of a model is this. */
const NAN_MARK = '\0NaN';

/**
 * Parses JSON in which the numbers may also be `NaN`, `Infinity` and `-Infinity`, as Python's json module writes them.
 *
 * @throws {SyntaxError} it is not even that
 */
export function parseWithPythonNumbers(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const strict = withoutPythonNumbers(text);
    if (strict === undefined) throw error;
    return JSON.parse(strict, (_key, value: unknown) => (value === NAN_MARK ? Number.NaN : value));
  }
}

const PYTHON_NUMBERS = [
  ['NaN', JSON.stringify(NAN_MARK)],
  ['Infinity', '1e999'], // which JSON.parse rounds to infinity; a minus sign may come before it
] as const;

/** @returns undefined where the text has no such numbers */
function withoutPythonNumbers(text: string): string | undefined {
  const pieces: string[] = [];
  let done = 0;
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) === QUOTE) {
      i = closingQuote(text, i);
      continue;
    }
    const found = PYTHON_NUMBERS.find(([word]) => text.startsWith(word, i));
    if (!found) continue;
    pieces.push(text.slice(done, i), found[1]);
    done = i + found[0].length;
    i = done - 1;
  }
  return done === 0 ? undefined : pieces.join('') + text.slice(done);
}
