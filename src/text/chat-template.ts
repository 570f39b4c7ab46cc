/** Chat templates: a model's own Jinja text that turns messages into the prompt it was trained on. */
import { AtomoeError } from '../errors.ts';
import type * as jinjaModule from './jinja/index.ts';

/** One message as templates see it. */
export interface ChatTurn {
  readonly role: string;
  readonly content: string;
}

/** What a template is rendered with, besides the messages. */
export interface RenderOptions {
  /** `bos_token`, `pad_token` and the like, as the model's files name them. */
  specialTokens?: Readonly<Record<string, string | readonly string[]>>;
  /** Opens the assistant's turn, so that the model answers. Default true. */
  addGenerationPrompt?: boolean;
  /** What templates that ask for the date are given. Default: now. */
  now?: Date;
  /** More variables for the template, such as `enable_thinking` or `tools`. */
  variables?: Readonly<Record<string, unknown>>;
}

let lastParsed: { source: string; template: jinjaModule.ParsedTemplate } | undefined; // parsing costs more than rendering

/**
 * Renders messages as transformers does. The text has its control tokens: encode it with `addSpecialTokens: false`. The
 * Jinja interpreter is loaded on the first call. Rendering ends: it has a budget of steps and of letters.
 *
 * @param template - the Jinja source; without one, see `joinTurns`
 * @throws {AtomoeError} bad-input - no messages, or the template refuses them (`raise_exception`); bad-file - it is no valid
 *   Jinja, fails by itself, or takes more than its budget; unsupported-model - it uses what Jinja2 has and Atomoe lacks.
 *   Its own faults are reported with the line
 */
export async function renderChat(
  template: string,
  messages: readonly ChatTurn[],
  options: RenderOptions = {},
): Promise<string> {
  if (messages.length === 0) {
    throw new AtomoeError('bad-input', 'there are no messages, at least one is wanted; say something first');
  }
  const jinja = await import('./jinja/index.ts');
  const { specialTokens = {}, addGenerationPrompt = true, now, variables = {} } = options;
  try {
    if (lastParsed?.source !== template)
      lastParsed = { source: template, template: jinja.parseTemplate(template) };
    return jinja.renderTemplate(lastParsed.template, {
      variables: {
        messages,
        tools: null,
        documents: null,
        ...specialTokens,
        add_generation_prompt: addGenerationPrompt,
        ...variables,
      },
      strftime: (format) => jinja.strftime(now ?? new Date(), format),
    });
  } catch (cause) {
    throw refusal(cause, jinja, messages);
  }
}

function refusal(cause: unknown, jinja: typeof jinjaModule, messages: readonly ChatTurn[]): AtomoeError {
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
  return new AtomoeError('bad-file', `the model's chat template ${faultOf(cause, why, roles, jinja)}`, {
    cause,
  });
}

/** What is wrong with the template itself, and what to do. */
function faultOf(
  cause: unknown,
  why: string,
  roles: string,
  { JinjaSyntaxError, BudgetError }: typeof jinjaModule,
): string {
  if (cause instanceof JinjaSyntaxError) {
    return `is no valid Jinja: ${why}; download the tokenizer files again, or send plain text`;
  }
  // RangeError is what an engine says of a full stack.
  if (cause instanceof BudgetError || cause instanceof RangeError) {
    return `does not end in time: ${why}; shorten the messages, send plain text, or choose another model`;
  }
  return `fails (roles: ${roles}): ${why}; send plain text, or choose another model`;
}

/** The prompt of a model without a template: it continues what was said. */
export function joinTurns(messages: readonly ChatTurn[]): string {
  return messages.map(({ content }) => content).join('\n');
}
