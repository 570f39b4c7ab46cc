/** Options of a reply by the names of OpenAI's fields: one table for what is read, and for what errors say of it. */
import { AtomoeError } from '../../errors.ts';
import type { GenerateOptions } from '../api.ts';

/** Options whose fields have other names. */
const FIELDS = {
  maxTokens: 'max_tokens',
  topP: 'top_p',
  topK: 'top_k',
  minP: 'min_p',
  repetitionPenalty: 'repetition_penalty',
  continueFinalMessage: 'continue_final_message',
  toolChoice: 'tool_choice',
  parallelToolCalls: 'parallel_tool_calls',
  responseFormat: 'response_format',
  logitBias: 'logit_bias',
  presencePenalty: 'presence_penalty',
  frequencyPenalty: 'frequency_penalty',
  templateOptions: 'chat_template_kwargs',
} as const satisfies Partial<Record<keyof GenerateOptions, string>>;

type Fields = typeof FIELDS;

/** The options that a request's fields of these names are. */
export function optionsOf(
  request: Readonly<Partial<Record<Fields[keyof Fields], unknown>>>,
): Partial<GenerateOptions> {
  const found = Object.entries(FIELDS).map(([option, field]) => [option, request[field]] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

/** Text in quotes is the caller's, and stays as it is. */
const QUOTED_OR_OPTION = new RegExp(`"(?:[^"\\\\]|\\\\.)*"|\\b(?:${Object.keys(FIELDS).join('|')})\\b`, 'g');

/** What comes of a request; errors name its fields where the engine names options. */
export async function* byFieldNames<T>(reply: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  try {
    yield* reply;
  } catch (error) {
    if (!(error instanceof AtomoeError)) throw error;
    const message = error.message.replaceAll(
      QUOTED_OR_OPTION,
      (word) => (FIELDS as Readonly<Record<string, string>>)[word] ?? word,
    );
    throw message === error.message ? error : new AtomoeError(error.code, message, { cause: error });
  }
}
