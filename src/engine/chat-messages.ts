/** What prompts are made of: messages, tools, and calls of them. Part of the public interface, `api.ts`. */

/** Part of a message. Texts are joined; the model reads nothing else. */
export interface ChatContentPart {
  readonly type: string; // 'text'
  readonly text?: string;
}

/** A tool that the model may call, as OpenAI describes it. */
export interface ChatTool {
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    readonly description?: string;
    readonly parameters?: Readonly<Record<string, unknown>>; // a JSON schema
    readonly strict?: boolean | null; // calls have arguments of `parameters`, as all calls with `toolChoice` 'required' or a name have
  };
}

/** A call of a tool, as OpenAI has it. */
export interface ChatToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string }; // JSON of an object
}

/** A call of a tool in a message: a `ChatToolCall`, or what an application made of one. */
export interface ChatMessageCall {
  readonly id?: string;
  readonly type?: 'function';
  readonly function: {
    readonly name: string;
    readonly arguments?: string | Readonly<Record<string, unknown>>; // an object, or its JSON
  };
}

/** One message. Fields beside these are not looked at, but for those that would change the answer: they are refused. */
export interface ChatMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool'; // 'developer' is 'system'
  readonly content: string | readonly ChatContentPart[];
  readonly name?: string;
  readonly reasoning_content?: string; // the assistant's thoughts: templates drop those of earlier answers
  readonly tool_calls?: readonly ChatMessageCall[]; // of the assistant
  readonly tool_call_id?: string; // of a tool's answer
}

/** A prompt: plain text or token ids that are continued, or messages that go through the model's chat template. */
export type Prompt = string | readonly number[] | readonly ChatMessage[];
