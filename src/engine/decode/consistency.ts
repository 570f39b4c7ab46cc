/** Self-consistency (Wang and others, 2022): several replies to one prompt, and the answer that most of them give. */
import { AtomoeError } from '../../errors.ts';
import { fields, oneOf, wholeFrom, type Table } from '../checks.ts';
import type { ConsistencyOptions } from './options.ts';
import type { Decoder, DecodedToken, DecodingStrategy } from './strategy.ts';

const TABLE: Table<ConsistencyOptions> = {
  kind: oneOf('consistency'),
  samples: wholeFrom(1, 1000),
  answer: oneOf('text', 'number'),
};

/** What is compared of an answer; undefined where it has none. */
type ReadAnswer = (text: string) => string | undefined;

const READ: Readonly<Record<'text' | 'number', ReadAnswer>> = { text: plainText, number: lastNumber };

/** @throws {AtomoeError} bad-input - an option */
export function consistency(given: unknown): DecodingStrategy {
  const { samples = 5, answer = 'text' } = fields(TABLE)(given, 'decoding');
  return {
    name: 'consistency',
    decode: (decoder) => (samples === 1 ? single(decoder) : voted(decoder, samples, READ[answer])),
  };
}

/** One sample is a plain reply, and is shown as it comes. */
async function* single(decoder: Decoder): AsyncGenerator<DecodedToken> {
  decoder.report({ samples: 1, votes: 1, answers: 1 });
  yield* decoder.plainly(decoder.state, decoder.first);
}

/** The reply that won, once all are there. */
async function* voted(decoder: Decoder, samples: number, read: ReadAnswer): AsyncGenerator<DecodedToken> {
  if (decoder.options.temperature === 0) {
    throw new AtomoeError(
      'bad-input',
      `decoding.samples is ${samples} at temperature 0, where all replies are the same; ` +
        'wanted a temperature above 0; change it, or leave decoding out',
    );
  }
  const replies: (readonly DecodedToken[])[] = [];
  for (let sample = 0; sample < samples; sample += 1) replies.push(await reply(decoder, sample));
  const answers = replies.map((tokens) => read(decoder.answerOf(tokens.map(({ id }) => id))));
  const { winner, counts } = vote(answers);
  decoder.report({ samples, votes: counts[0] ?? 0, answers: counts.length, tally: counts.join(' ') });
  yield* replies[winner] ?? [];
}

/** The reply with the seed that is this much above the request's. */
async function reply({ state, first, options, plainly }: Decoder, sample: number): Promise<DecodedToken[]> {
  const fork = await state.fork();
  const tokens: DecodedToken[] = [];
  for await (const token of plainly(fork, first, { seed: options.seed + sample })) tokens.push(token);
  fork.dispose();
  return tokens;
}

/**
 * The answer that occurs most often, the earliest on ties. Where no reply has an answer, the first reply wins.
 *
 * @returns the first reply that gives it, and the votes of each answer, the most first
 */
export function vote(answers: readonly (string | undefined)[]): { winner: number; counts: number[] } {
  const votes = new Map<string, number>();
  for (const answer of answers) if (answer !== undefined) votes.set(answer, (votes.get(answer) ?? 0) + 1);
  const [best] = [...votes].toSorted(([, a], [, b]) => b - a); // the order of equal ones stays
  const counts = [...votes.values()].toSorted((a, b) => b - a);
  return { winner: best ? answers.indexOf(best[0]) : 0, counts };
}

/** The text in small letters, with single spaces and without a full stop. */
export function plainText(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replace(/[\s.!]+$/, '');
}

/** The last number in a text: `So it costs $1,250.50.` is 1250.5. */
export function lastNumber(text: string): string | undefined {
  const found = [...text.matchAll(/(?<![\w.])-?\d[\d,]*(?:\.\d+)?/g)].at(-1);
  return found && String(Number(found[0].replaceAll(',', '')));
}
