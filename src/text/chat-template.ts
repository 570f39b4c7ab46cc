/** Chat templates: a model's own Jinja text that turns messages into the prompt it was trained on. */
import { AtomoeError } from '../errors.ts';
import * as jinja from './jinja/index.ts';

/** One message as templates see it. */
export interface ChatTurn {
  readonly role: string;
  readonly content: string | null; // null where a template wants it beside calls
  readonly reasoning_content?: string; // templates leave earlier thoughts out, or keep those between calls of tools
  readonly tool_calls?: readonly object[]; // as OpenAI has them, but with `arguments` as objects
  readonly tool_call_id?: string;
}

/** What a template is rendered with, besides the messages. */
export interface RenderOptions {
  /** `bos_token`, `pad_token` and the like, as the model's files name them. */
  specialTokens?: Readonly<Record<string, string | readonly string[]>>;
  /** Opens the assistant's turn, so that the model answers. Default true. */
  addGenerationPrompt?: boolean;
  /** Ends the text where the last message does, which is the assistant's: the model goes on with it. Default false. */
  continuesFinal?: boolean;
  /** What templates that ask for the date are given. Default: now. */
  now?: Date;
  /** Tools that the model may call, as OpenAI has them. */
  tools?: readonly object[];
  /**
   * Variables that the template has beside these, such as `enable_thinking`. `reasoning_effort` serves a template with
   * `enable_thinking`, too: 'none' is false, all else true; a template with neither takes 'none' only.
   */
  variables?: Readonly<Record<string, unknown>>;
}

interface Parsed {
  readonly source: string;
  readonly template: jinja.ParsedTemplate;
  readonly names: ReadonlySet<string>;
}

let lastParsed: Parsed | undefined; // parsing costs more than rendering

/**
 * Renders messages as transformers does. The text has its control tokens: encode it with `addSpecialTokens: false`. Rendering
 * ends: it has a budget of steps and of letters.
 *
 * @param template - the Jinja source
 * @throws {AtomoeError} bad-input - no messages, or the template refuses them (`raise_exception`), or it has no place for
 *   tools or for a variable; bad-file - it is no valid Jinja, fails by itself, or takes more than its budget;
 *   unsupported-model - it uses what Jinja2 has and Atomoe lacks. Its own faults are reported with the line
 */
export function renderChat(
  template: string,
  messages: readonly ChatTurn[],
  options: RenderOptions = {},
): string {
  if (messages.length === 0) {
    throw new AtomoeError('bad-input', 'there are no messages, at least one is wanted; say something first');
  }
  const { specialTokens = {}, addGenerationPrompt = true, continuesFinal = false, now, tools = [] } = options;
  try {
    const parsed = lastParsed?.source === template ? lastParsed : parse(template);
    lastParsed = parsed;
    checkTools(parsed, tools, messages);
    const text = jinja.renderTemplate(parsed.template, {
      variables: {
        messages: messages.map((turn) => withThinking(turn, template)),
        tools: tools.length > 0 ? tools : null,
        documents: null,
        ...specialTokens,
        add_generation_prompt: addGenerationPrompt && !continuesFinal,
        ...ownVariables(parsed, options.variables ?? {}),
      },
      strftime: (format) => jinja.strftime(now ?? new Date(), format),
    });
    return continuesFinal ? upToFinal(text, messages.at(-1)) : text;
  } catch (cause) {
    if (cause instanceof AtomoeError) throw cause;
    throw refusal(cause, messages);
  }
}

/** The text up to the end of the last message, before what closes it. Templates may trim messages. */
function upToFinal(text: string, final: ChatTurn | undefined): string {
  const content = final?.content ?? '';
  if (final?.role !== 'assistant' || content.trim() === '') {
    throw new AtomoeError(
      'bad-input',
      `continueFinalMessage is true, and the last message is ${final?.role === 'assistant' ? 'empty' : "not the assistant's"}; ` +
        "wanted the beginning of the assistant's answer; add it, or leave the option out",
    );
  }
  for (const shown of [content, content.trimEnd(), content.trim()]) {
    const at = text.lastIndexOf(shown);
    if (at >= 0) return text.slice(0, at + shown.length);
  }
  throw new AtomoeError(
    'bad-input',
    "continueFinalMessage is true, and the model's chat template does not show the last message as it is; leave the option out, " +
      'or choose another model',
  );
}

function parse(source: string): Parsed {
  const template = jinja.parseTemplate(source);
  return { source, template, names: jinja.namesIn(template) };
}

/** What a template leaves out would be missing in the answer, too. */
function checkTools(
  { source, names }: Parsed,
  tools: readonly object[],
  messages: readonly ChatTurn[],
): void {
  const lacks = (what: string, advice: string) =>
    new AtomoeError(
      'bad-input',
      `the model's chat template has no place for ${what}; wanted a model that was trained to call tools; ${advice}`,
    );
  if (tools.length > 0 && !names.has('tools'))
    throw lacks('tools', 'leave tools out, or choose another model');
  if (!source.includes('tool_calls') && messages.some((turn) => turn.tool_calls)) {
    throw lacks('tool_calls in messages', 'leave them out, or choose another model');
  }
}

/** gpt-oss and LFM2.5 have another name for thoughts; gpt-oss takes them beside calls only where nothing was said. */
function withThinking(turn: ChatTurn, template: string): ChatTurn {
  const { reasoning_content: thinking, tool_calls: calls, content } = turn;
  if (thinking === undefined || !/\.thinking\b/.test(template)) return turn;
  return calls && content ? turn : Object.assign({ thinking }, turn);
}

/** @throws {AtomoeError} bad-input - a variable that the template does not have */
function ownVariables({ names }: Parsed, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const variables = { ...given };
  const effort = variables['reasoning_effort'];
  if (effort !== undefined && !names.has('reasoning_effort')) {
    const hasSwitch = names.has('enable_thinking');
    if (hasSwitch || effort === 'none') delete variables['reasoning_effort'];
    if (hasSwitch) variables['enable_thinking'] ??= effort !== 'none';
  }
  const unknown = Object.keys(variables).find((name) => !names.has(name));
  if (unknown === undefined) return variables;
  throw new AtomoeError(
    'bad-input',
    `the model's chat template has no variable ${JSON.stringify(unknown.slice(0, 60))}; wanted one that it reads; check ` +
      'the spelling, or leave it out',
  );
}

function refusal(cause: unknown, messages: readonly ChatTurn[]): AtomoeError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const line = cause instanceof jinja.TemplateError ? cause.line : undefined;
  const why = line === undefined ? message : `${message} (line ${line})`;
  const roles = messages.map(({ role }) => role).join(', ');
  if (cause instanceof jinja.RaisedError) {
    return new AtomoeError(
      'bad-input',
      `the model's chat template refuses the messages (roles: ${roles}): ${message}; change the messages accordingly`,
      { cause },
    );
  }
  if (cause instanceof jinja.UnsupportedError) {
    return new AtomoeError(
      'unsupported-model',
      `the model's chat template uses what Atomoe does not do: ${why}; send plain text, or choose another model`,
      { cause },
    );
  }
  return new AtomoeError('bad-file', `the model's chat template ${faultOf(cause, why, roles)}`, {
    cause,
  });
}

/** What is wrong with the template itself, and what to do. */
function faultOf(cause: unknown, why: string, roles: string): string {
  if (cause instanceof jinja.JinjaSyntaxError) {
    return `is no valid Jinja: ${why}; download the tokenizer files again, or send plain text`;
  }
  // RangeError is what an engine says of a full stack.
  if (cause instanceof jinja.BudgetError || cause instanceof RangeError) {
    return `does not end in time: ${why}; shorten the messages, send plain text, or choose another model`;
  }
  return `fails (roles: ${roles}): ${why}; send plain text, or choose another model`;
}
