/** A type test: what OpenAI's client returns is what the engine returns, and what it takes the engine takes. */
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions';
import type {
  Completion,
  CompletionCreateParamsNonStreaming,
  CompletionCreateParamsStreaming,
} from 'openai/resources/completions';
import type { ChatCompletion as Ours, ChatCompletionStream, Engine } from '../../src/engine/api.ts';

export async function whole(
  { chat }: Engine,
  body: ChatCompletionCreateParamsNonStreaming,
): Promise<ChatCompletion> {
  const { signal } = new AbortController();
  return chat.completions.create(body, { signal });
}

export async function streamed(
  { chat }: Engine,
  body: ChatCompletionCreateParamsStreaming,
): Promise<AsyncIterable<ChatCompletionChunk>> {
  return chat.completions.create(body);
}

/** The client's types have no place for the null that OpenAI's API, too, gives for a token without one before it. */
export async function text(
  { completions }: Engine,
  body: CompletionCreateParamsNonStreaming,
): Promise<Completion> {
  const { choices, ...rest } = await completions.create(body);
  return { ...rest, choices: choices.map((choice) => ({ ...choice, logprobs: null })) };
}

export async function textStreamed({ completions }: Engine, body: CompletionCreateParamsStreaming) {
  return completions.create(body);
}

/** An application that keeps the conversation in OpenAI's types. */
export function remember(history: ChatCompletionMessageParam[], { choices }: Ours): void {
  for (const { message } of choices) history.push(message);
}

export function controllerOf(stream: ChatCompletionStream): AbortController {
  return stream.controller;
}

/** The test itself works: what does not fit is refused. */
export function wrong(ours: Ours): ChatCompletion {
  // @ts-expect-error - a finish reason of our own is none of OpenAI's
  return { ...ours, choices: ours.choices.map((each) => ({ ...each, finish_reason: 'abort' as const })) };
}
