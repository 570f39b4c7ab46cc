import type { ChatCompletionRequest, ChatRequestMessage } from '../engine/api.ts';
import { AtomoeError } from '../errors.ts';
import type {
  CallOptions,
  CallTool,
  CallWarning,
  PromptMessage,
  PromptPart,
  ToolOutput,
} from './interface.ts';

/** A call of the AI SDK as OpenAI's request, and what it asked for and does not get. */
export interface CallRequest {
  readonly body: ChatCompletionRequest;
  readonly warnings: CallWarning[];
}

/** @throws {AtomoeError} bad-input - a file in the prompt */
export function requestOf(options: CallOptions): CallRequest {
  const { tools = [], toolChoice, responseFormat, providerOptions } = options;
  const elsewhere = tools.filter(({ type }) => type !== 'function');
  const own = tools.filter(({ type }) => type === 'function').map(toolOf);
  const choice =
    toolChoice?.type === 'tool'
      ? { type: 'function', function: { name: toolChoice.toolName } }
      : toolChoice?.type;
  const body: ChatCompletionRequest = {
    messages: options.prompt.flatMap(messagesOf),
    max_completion_tokens: options.maxOutputTokens,
    temperature: options.temperature,
    top_p: options.topP,
    top_k: options.topK,
    presence_penalty: options.presencePenalty,
    frequency_penalty: options.frequencyPenalty,
    stop: options.stopSequences,
    seed: options.seed,
    response_format: responseFormat && formatOf(responseFormat),
    ...(own.length > 0 ? { tools: own, tool_choice: choice } : {}),
    signal: options.abortSignal,
    ...providerOptions?.['atomoe'],
  };
  const warnings = elsewhere.map(({ name }) => ({
    type: 'unsupported' as const,
    feature: `the tool ${name}`,
    details: 'tools of providers run on their servers; an engine has none',
  }));
  return { body, warnings };
}

function toolOf({ name, description, inputSchema }: CallTool) {
  return { type: 'function', function: { name, description, parameters: inputSchema } };
}

function formatOf(format: NonNullable<CallOptions['responseFormat']>) {
  if (format.type === 'text') return { type: 'text' };
  const { schema, name } = format;
  return schema === undefined
    ? { type: 'json_object' }
    : { type: 'json_schema', json_schema: { name, schema } };
}

/** A message of tools becomes one for each of its results. */
function messagesOf({ role, content }: PromptMessage): ChatRequestMessage[] {
  if (typeof content === 'string') return [{ role, content }];
  if (role === 'tool') return content.flatMap(resultOf);
  const file = content.find((part) => part.type === 'file');
  if (file) {
    throw new AtomoeError(
      'bad-input',
      `a message has a file (${file.mediaType}); wanted text, which is all that these models read; leave it out`,
    );
  }
  const textOf = (type: 'text' | 'reasoning') =>
    content.map((part) => (part.type === type ? part.text : '')).join('');
  const calls = content.flatMap(callOf);
  const reasoning = textOf('reasoning');
  return [
    {
      role,
      content: textOf('text'),
      ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    },
  ];
}

function callOf(part: PromptPart) {
  if (part.type !== 'tool-call') return [];
  const { toolCallId: id, toolName: name, input } = part;
  const given = typeof input === 'string' ? input : JSON.stringify(input);
  return [{ id, type: 'function', function: { name, arguments: given } }];
}

function resultOf(part: PromptPart): ChatRequestMessage[] {
  if (part.type !== 'tool-result') return [];
  return [{ role: 'tool', tool_call_id: part.toolCallId, content: outputText(part.output) }];
}

function outputText(output: ToolOutput): string {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return output.value;
    case 'json':
    case 'error-json':
      return JSON.stringify(output.value);
    case 'execution-denied':
      return output.reason ?? 'The call was not allowed.';
    case 'content':
      return output.value.map(({ text = '' }) => text).join('\n');
  }
}
