/**
 * Calls and their answers in messages, in the form that a chat template takes. OpenAI's is one of several: templates want
 * arguments as objects or as JSON, no content or an empty one beside calls, and ids of their own kind.
 */
import { renderChat, type ChatTurn, type RenderOptions } from '../chat-template.ts';
import type { CallFormat } from './format.ts';
import { KIMI_ID } from './kimi.ts';

type SpecialTokens = NonNullable<RenderOptions['specialTokens']>;

/** A call in a message, with its arguments as an object. */
interface TurnCall {
  readonly id?: string;
  readonly type?: string;
  readonly function: { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> };
}

/** How a template takes a message with calls. */
interface TurnForm {
  readonly isText: boolean; // arguments are JSON, not objects
  readonly isNull: boolean; // content is null beside calls, which an empty text would hide
}

/** OpenAI's but for arguments, which transformers has as objects. */
const USUAL: TurnForm = { isText: false, isNull: false };

const FORMS: readonly TurnForm[] = [
  USUAL,
  { isText: true, isNull: false },
  { isText: false, isNull: true },
  { isText: true, isNull: true },
];

/** A conversation with a call that shows whether a template writes it. Nine letters: some templates want no other ids. */
const PROBE_ID = 'abcdefghi';
const PROBE: readonly ChatTurn[] = [
  { role: 'user', content: 'x' },
  {
    role: 'assistant',
    content: '',
    tool_calls: [
      { id: PROBE_ID, type: 'function', function: { name: 'tool', arguments: { needle: 'thread' } } },
    ],
  },
  { role: 'tool', content: 'x', tool_call_id: PROBE_ID },
];

let lastForm: { readonly template: string; readonly form: TurnForm } | undefined;

/**
 * The messages in the form that a template takes. Those without calls are as they were.
 *
 * @param format - the model's, which writes calls for a template that has no place for them
 */
export function turnsFor(
  template: string,
  turns: readonly ChatTurn[],
  format: CallFormat | undefined,
  specialTokens: SpecialTokens = {},
): readonly ChatTurn[] {
  if (!turns.some((turn) => turn.tool_calls)) return turns;
  const named = withIds(turns, template);
  if (!template.includes('tool_calls')) return format?.write ? named.map(written(format)) : named;
  if (lastForm?.template !== template) {
    const fits = (form: TurnForm) => showsCall(template, form, specialTokens);
    lastForm = { template, form: FORMS.find(fits) ?? USUAL };
  }
  const { form } = lastForm;
  return named.flatMap((turn) => shaped(turn, form));
}

/** Whether a template writes the call of a message in this form, and writes it once: not as Python, nor as JSON in JSON. */
function showsCall(template: string, form: TurnForm, specialTokens: SpecialTokens): boolean {
  try {
    const turns = PROBE.flatMap((turn) => shaped(turn, form));
    const text = renderChat(template, turns, { specialTokens });
    return text.includes('needle') && text.includes('thread') && !/'needle'|\\"needle/.test(text);
  } catch {
    return false; // the caller's own messages will say why
  }
}

function shaped(turn: ChatTurn, { isText, isNull }: TurnForm): readonly ChatTurn[] {
  const calls = callsOf(turn);
  if (calls.length === 0) return [turn];
  const given = isText ? calls.map(withText) : calls;
  if (!isNull) return [{ ...turn, tool_calls: given }];
  const { content, ...rest } = turn;
  const called: ChatTurn = { ...rest, content: null, tool_calls: given };
  return content === null || content === '' ? [called] : [{ role: turn.role, content }, called];
}

function withText(call: TurnCall): object {
  return { ...call, function: { ...call.function, arguments: JSON.stringify(call.function.arguments) } };
}

/** A message whose calls are part of its text. */
function written(format: CallFormat): (turn: ChatTurn) => ChatTurn {
  return (turn) => {
    const { tool_calls: _, content, ...rest } = turn;
    const calls = callsOf(turn).map(({ id, function: { name, arguments: given } }) => {
      return { name, arguments: JSON.stringify(given), ...(id === undefined ? {} : { id }) };
    });
    if (calls.length === 0) return turn;
    return { ...rest, content: `${content ?? ''}${format.write?.(calls) ?? ''}` };
  };
}

function callsOf(turn: ChatTurn): readonly TurnCall[] {
  return (turn.tool_calls ?? []) as readonly TurnCall[];
}

/** Ids in the form that a template wants, where it has a form: the same in calls and in their answers. */
function withIds(turns: readonly ChatTurn[], template: string): readonly ChatTurn[] {
  const idFor = idRule(template);
  if (!idFor) return turns;
  const ids = new Map<string | undefined, string>();
  return turns.map((turn) => {
    const calls = callsOf(turn).map((call) => {
      const id = idFor(call, ids.size);
      ids.set(call.id ?? id, id);
      return { ...call, id };
    });
    const { tool_call_id: answered } = turn;
    return {
      ...turn,
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
      ...(answered === undefined ? {} : { tool_call_id: ids.get(answered) ?? answered }),
    };
  });
}

function idRule(template: string): ((call: TurnCall, count: number) => string) | undefined {
  // Mistral: nine letters or digits.
  if (/length\s*(?:!=|<)\s*9/.test(template)) {
    return ({ id = '' }, count) => {
      const letters = id.replace(/[^a-z\d]/gi, '');
      return letters === '' ? `${count}`.padStart(9, '0') : letters.slice(-9).padStart(9, '0');
    };
  }
  // Kimi: the id is all that says which tool was called.
  if (template.includes('<|tool_call_argument_begin|>')) {
    return ({ id = '', function: { name } }, count) => (KIMI_ID.test(id) ? id : `functions.${name}:${count}`);
  }
  return undefined;
}
