/** Chat templates: a model's own Jinja text that turns messages into the prompt it was trained on. */
import type { Template } from '@huggingface/jinja';
import { AtomoeError } from '../errors.ts';
import { strftime } from './strftime.ts';

export interface ChatTurn {
  readonly role: string;
  readonly content: string;
}

export interface RenderOptions {
  /** `bos_token`, `pad_token` and the like, as the model's files name them. */
  specialTokens?: Readonly<Record<string, string | readonly string[]>>;
  /** Opens the assistant's turn, so that the model answers. Default true. */
  addGenerationPrompt?: boolean;
  /** What templates that ask for the date are told. Default: now. */
  now?: Date;
  /** More variables for the template, such as `enable_thinking` or `tools`. */
  variables?: Readonly<Record<string, unknown>>;
}

/**
 * The interpreter's own `strftime_now` writes month names in the browser's language, and refuses a variable of that
 * name. A template may assign it, though. (The newline after the block is trimmed with it.)
 */
const DATE_FUNCTION = 'atomoe_strftime_now';
const PREAMBLE = `{% set strftime_now = ${DATE_FUNCTION} %}\n`;

let lastParsed: { source: string; template: Template } | undefined; // parsing costs more than rendering

/**
 * Renders messages. The text has its control tokens: encode it with `addSpecialTokens: false`. The Jinja interpreter is
 * loaded on the first call.
 *
 * @param template - the Jinja source; without one, see `joinTurns`
 * @throws {AtomoeError} bad-input - no messages, or the template refuses them; bad-file - it is no valid Jinja
 */
export async function renderChat(
  template: string,
  messages: readonly ChatTurn[],
  options: RenderOptions = {},
): Promise<string> {
  if (messages.length === 0) {
    throw new AtomoeError('bad-input', 'there are no messages, at least one is wanted; say something first');
  }
  const parsed = await parse(template);
  const { specialTokens = {}, addGenerationPrompt = true, now, variables = {} } = options;
  try {
    return parsed.render({
      messages: messages.map((message) => ({ ...message })),
      tools: null,
      documents: null,
      ...specialTokens,
      add_generation_prompt: addGenerationPrompt,
      [DATE_FUNCTION]: (format: string) => strftime(now ?? new Date(), format),
      ...variables,
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const roles = messages.map(({ role }) => role).join(', ');
    throw new AtomoeError(
      'bad-input',
      `the model's chat template refuses the messages (roles: ${roles}): ${why}; change the messages accordingly`,
      { cause },
    );
  }
}

/** The prompt of a model without a template: it continues what was said. */
export function joinTurns(messages: readonly ChatTurn[]): string {
  return messages.map(({ content }) => content).join('\n');
}

async function parse(source: string): Promise<Template> {
  if (lastParsed?.source === source) return lastParsed.template;
  const { Template: JinjaTemplate } = await import('@huggingface/jinja');
  try {
    const template = new JinjaTemplate(PREAMBLE + source);
    lastParsed = { source, template };
    return template;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AtomoeError(
      'bad-file',
      `the model's chat template is no valid Jinja: ${why}; download the tokenizer files again, or send plain text`,
      { cause },
    );
  }
}
