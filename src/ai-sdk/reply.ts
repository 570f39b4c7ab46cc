import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionStream,
  ChatCompletionUsage,
} from '../engine/api.ts';
import type { CallRequest } from './request.ts';
import type { CallResult, CallStreamPart, CallUsage, FinishReason, ReplyContent } from './interface.ts';

/** A whole answer of the engine's as the AI SDK reads it. */
export function resultOf(completion: ChatCompletion, { body, warnings }: CallRequest): CallResult {
  const [choice] = completion.choices;
  const {
    content: text = '',
    reasoning_content: reasoning = '',
    tool_calls: calls = [],
  } = choice?.message ?? {};
  const content: ReplyContent[] = [
    ...(reasoning === '' ? [] : [{ type: 'reasoning' as const, text: reasoning }]),
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...calls.map(({ id, function: { name, arguments: input } }) => toolCall(id, name, input)),
  ];
  return {
    content,
    finishReason: finishOf(choice?.finish_reason ?? null),
    usage: usageOf(completion.usage),
    warnings,
    request: { body: sent(body) },
    response: metadataOf(completion),
  };
}

/** A streamed answer as the AI SDK reads it. Who cancels it ends the reply. */
export function streamOf(
  chunks: ChatCompletionStream,
  { warnings }: CallRequest,
): ReadableStream<CallStreamPart> {
  const parts = partsOf(chunks);
  return new ReadableStream({
    start: (controller) => controller.enqueue({ type: 'stream-start', warnings }),
    async pull(controller) {
      try {
        const { done, value } = await parts.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.enqueue({ type: 'error', error });
        controller.close();
      }
    },
    cancel: (reason) => chunks.controller.abort(reason),
  });
}

type Kind = 'text' | 'reasoning';

async function* partsOf(chunks: ChatCompletionStream): AsyncGenerator<CallStreamPart, void, undefined> {
  let open: Kind | undefined;
  let finishReason: FinishReason = finishOf(null);
  let usage: CallUsage = usageOf(undefined);
  let hasBegun = false;
  for await (const chunk of chunks) {
    if (!hasBegun) yield { type: 'response-metadata', ...metadataOf(chunk) };
    hasBegun = true;
    if (chunk.usage) usage = usageOf(chunk.usage);
    const [choice] = chunk.choices;
    if (!choice) continue;
    const { content = '', reasoning_content: reasoning = '', tool_calls: calls = [] } = choice.delta;
    for (const [kind, delta] of [
      ['reasoning', reasoning],
      ['text', content],
    ] as const) {
      if (delta === '') continue;
      if (open !== kind) yield* turn(open, kind);
      open = kind;
      yield { type: `${kind}-delta`, id: kind, delta };
    }
    if (calls.length > 0 && open) {
      yield* turn(open, undefined);
      open = undefined;
    }
    for (const {
      id,
      function: { name, arguments: input },
    } of calls)
      yield* callParts(id, name, input);
    if (choice.finish_reason) finishReason = finishOf(choice.finish_reason);
  }
  yield* turn(open, undefined);
  yield { type: 'finish', usage, finishReason };
}

/** From a part of one kind to a part of another. */
function* turn(from: Kind | undefined, to: Kind | undefined): Generator<CallStreamPart> {
  if (from) yield { type: `${from}-end`, id: from };
  if (to) yield { type: `${to}-start`, id: to };
}

function* callParts(id: string, toolName: string, input: string): Generator<CallStreamPart> {
  yield { type: 'tool-input-start', id, toolName };
  yield { type: 'tool-input-delta', id, delta: input };
  yield { type: 'tool-input-end', id };
  yield toolCall(id, toolName, input);
}

function toolCall(toolCallId: string, toolName: string, input: string) {
  return { type: 'tool-call' as const, toolCallId, toolName, input };
}

function finishOf(reason: ChatCompletionChunk['choices'][number]['finish_reason']): FinishReason {
  return { unified: reason === 'tool_calls' ? 'tool-calls' : (reason ?? 'stop'), raw: reason ?? undefined };
}

function usageOf(usage: ChatCompletionUsage | undefined): CallUsage {
  const reasoning = usage && (usage.completion_tokens_details?.reasoning_tokens ?? 0);
  const total = usage?.completion_tokens;
  const text = total === undefined || reasoning === undefined ? undefined : total - reasoning;
  const unknown = { noCache: undefined, cacheRead: undefined, cacheWrite: undefined };
  return {
    inputTokens: { total: usage?.prompt_tokens, ...unknown },
    outputTokens: { total, text, reasoning },
  };
}

function metadataOf({ id, created, model }: Pick<ChatCompletion, 'id' | 'created' | 'model'>) {
  return { id, timestamp: new Date(1000 * created), modelId: model };
}

/** The request without its signal, for logs. */
function sent({ signal: _, ...body }: CallRequest['body']): unknown {
  return body;
}
