/** LFM2: a list of calls in Python, `<|tool_call_start|>[NAME(KEY="VALUE", ...), ...]<|tool_call_end|>`; JSON where it was asked for. */
import { allOrNone, bodyOf, callOf, isObject, parseJson, type CallFormat, type ToolCall } from './format.ts';
import { readJsonCalls } from './json.ts';
import { pythonString, readWhole, type LiteralReader } from './literals.ts';

const OPEN = '<|tool_call_start|>';
const CLOSE = '<|tool_call_end|>';

export const LFM: CallFormat = {
  signs: [OPEN, '<|tool_list_start|>'],
  tokens: [OPEN, CLOSE],
  markers: () => ({
    open: [OPEN],
    close: CLOSE,
    read(region) {
      const body = bodyOf(region, [OPEN], CLOSE);
      const calls = readJsonCalls(body);
      return calls.length > 0 ? calls : (readWhole(body, pythonString, readList) ?? []);
    },
    forced: undefined,
  }),
  write: (calls) => `${OPEN}[${calls.map(writeCall).join(', ')}]${CLOSE}`,
};

function readList(reader: LiteralReader): readonly ToolCall[] {
  reader.expect('[');
  const calls = reader.list(']', () => {
    const name = reader.match(/[\w.-]+/y);
    reader.expect('(');
    return callOf(name, reader.object(')', '='));
  });
  return allOrNone(calls);
}

function writeCall({ name, arguments: json }: ToolCall): string {
  const given = parseJson(json);
  const parts = isObject(given) ? Object.entries(given) : [];
  return `${name}(${parts.map(([key, value]) => `${key}=${python(value)}`).join(', ')})`;
}

/** A value as Python writes it. */
function python(value: unknown): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${python(each)}`);
  return `{${members.join(', ')}}`;
}
