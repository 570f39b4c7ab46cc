/** From a prompt to its tokens, and to what reads the reply. */
import { AtomoeError } from '../../errors.ts';
import type { ReplyMarkers } from '../../text/reply-markers.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type { CheckedOptions } from '../options.ts';
import type { CheckedPrompt } from './messages.ts';
import { ReplyText } from './reply-text.ts';

/** The options of a reply that its prompt depends on, and `stop`. */
type EncodeOptions = Pick<
  CheckedOptions,
  'tools' | 'toolChoice' | 'templateOptions' | 'stop' | 'continueFinalMessage'
>;

/** A prompt as ids, and what reads a reply to it. */
export interface EncodedPrompt {
  readonly ids: readonly number[];
  readonly newText: () => ReplyText; // of a reply
  readonly markers?: ReplyMarkers; // of the model; none where the prompt is plain text
}

/**
 * Encodes a prompt, messages by the model's chat template.
 *
 * @throws {AtomoeError} bad-input - tools without a place for them; whatever the template refuses
 */
export async function encodePrompt(
  prompt: CheckedPrompt,
  options: EncodeOptions,
  tokenizer: Tokenizer,
): Promise<EncodedPrompt> {
  const { chatTemplate, specialTokens } = tokenizer;
  const { stop, templateOptions: variables, toolChoice, continueFinalMessage: continuesFinal } = options;
  const tools = toolChoice === 'none' ? [] : options.tools;
  if (isPlain(prompt) || !chatTemplate) {
    if (tools.length > 0) throw noPlaceForTools(isPlain(prompt));
    return { ids: plainIds(prompt, tokenizer), newText: () => new ReplyText(tokenizer, stop) };
  }
  const { markersOf, renderChat, ReplySplitter } = await import('../../text/chat.ts');
  const hasToken = (token: string) => tokenizer.tokenId(token) !== undefined;
  const chat = { template: chatTemplate, hasToken, turns: prompt, tools, specialTokens };
  const hasCalls = tools.length > 0 || prompt.some((turn) => turn.tool_calls);
  const { turns, calls } = hasCalls
    ? (await import('../../text/tool-calls/index.ts')).withCalls(chat)
    : { turns: prompt };
  const text = renderChat(chatTemplate, turns, { specialTokens, tools, variables, continuesFinal });
  const markers = markersOf(chatTemplate, hasToken, calls);
  return {
    ids: tokenizer.encode(text, { addSpecialTokens: false }),
    newText: () => new ReplyText(tokenizer, stop, new ReplySplitter(markers, text)),
    markers,
  };
}

function isPlain(prompt: CheckedPrompt): prompt is string | readonly number[] {
  return typeof prompt === 'string' || typeof prompt[0] === 'number';
}

function plainIds(prompt: CheckedPrompt, tokenizer: Tokenizer): readonly number[] {
  if (isPlain(prompt) && typeof prompt !== 'string') return prompt;
  const text = typeof prompt === 'string' ? prompt : prompt.map(({ content }) => content).join('\n');
  return text.length === 0 ? [] : tokenizer.encode(text);
}

function noPlaceForTools(isText: boolean): AtomoeError {
  return new AtomoeError(
    'bad-input',
    isText
      ? 'tools were given with a prompt of plain text or ids; wanted messages; give messages, or leave tools out'
      : 'tools were given, and the model has no chat template; wanted one that was trained to call tools; leave tools out, ' +
          'or choose another model',
  );
}
